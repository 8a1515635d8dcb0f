import { crc32 } from 'node:zlib';
import { invalid } from './settings.ts';

const ACK_ID = /^([0-9a-z]+)\.([0-9a-z]+)\.(\d+)$/;

/** An opaque name for one lease of one message in one subscription. */
export function encodeAckId(subscription: string, lease: { id: string; lease: number }): string {
  const text = `${tag(subscription)}.${lease.lease.toString(36)}.${lease.id}`;
  return Buffer.from(text).toString('base64url');
}

/** @throws INVALID_ARGUMENT when this server did not make it for this subscription */
export function decodeAckId(subscription: string, ackId: string): { id: string; lease: number } {
  const found = ACK_ID.exec(Buffer.from(ackId, 'base64url').toString('latin1'));
  const [, subscriptionTag, lease, id] = found ?? [];
  if (subscriptionTag !== tag(subscription) || lease === undefined || id === undefined) {
    throw invalid(`You have passed an invalid ack ID to the service (ack_id=${ackId.slice(0, 200)}).`);
  }
  return { id, lease: Number.parseInt(lease, 36) };
}

function tag(subscription: string): string {
  return crc32(subscription).toString(36);
}
