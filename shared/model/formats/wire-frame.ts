import { PoisonError } from '../events/records/poison.ts';

const MAGIC = 0;
/** One magic byte, four of the schema's id. */
export const frameBytes = 5;

/**
 * The schema's id at the front of a record that a registry's serializer wrote.
 *
 * Source: docs.confluent.io, Formats, Serializers, and Deserializers, "Wire format".
 *
 * @returns undefined where the bytes do not begin so
 */
export function schemaIdOf(bytes: Buffer): number | undefined {
  if (bytes.length < frameBytes || bytes[0] !== MAGIC) return undefined;
  const id = bytes.readInt32BE(1);
  return id < 0 ? undefined : id;
}

/** What follows the schema's id. */
export function framedPart(bytes: Buffer): Buffer {
  return bytes.subarray(frameBytes);
}

/** @throws {PoisonError} always: what stands where magic byte and schema id should */
export function refuseFrame(bytes: Buffer): never {
  const found = bytes.length === 0 ? 'is empty' : `begins with ${bytes.subarray(0, frameBytes).toString('hex')}`;
  const reason = `The value ${found}: a registry's serializer begins with 00 and four bytes of the schema's id`;
  throw new PoisonError('undecodable', reason);
}
