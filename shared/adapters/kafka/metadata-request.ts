/** Metadata, version 12: the first that finds a topic by name and answers with its id for certain (Kafka 3.1). */
const API_KEY = 3;
const API_VERSION = 12;
const UNKNOWN_TOPIC_OR_PARTITION = 3;
const UUID_BYTES = 16;
/** An answer about one topic; more is no Kafka broker. */
const MAX_FRAME_BYTES = 16 * 1024 * 1024;

/**
 * The request for one topic's metadata, with its length before it.
 *
 * Source: kafka.apache.org/protocol, Metadata v12, request header v2.
 */
export function metadataRequest(wanted: { topic: string; clientId: string; correlation: number }): Buffer {
  const clientId = Buffer.from(wanted.clientId);
  const topic = Buffer.from(wanted.topic);
  const header = Buffer.alloc(10);
  header.writeInt16BE(API_KEY, 0);
  header.writeInt16BE(API_VERSION, 2);
  header.writeInt32BE(wanted.correlation, 4);
  header.writeInt16BE(clientId.length, 8);
  const noTags = Buffer.from([0]);
  const oneTopic = Buffer.concat([varint(2), Buffer.alloc(UUID_BYTES), varint(topic.length + 1), topic, noTags]);
  const noAutoCreation = Buffer.from([0, 0]);
  const body = Buffer.concat([header, clientId, noTags, oneTopic, noAutoCreation, noTags]);
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
}

/** The first whole answer among the bytes received; undefined while it is incomplete. */
export function takeFrame(received: Buffer): { correlation: number; body: Buffer; end: number } | undefined {
  if (received.length < 8) return undefined;
  const length = received.readInt32BE(0);
  if (length < 5 || length > MAX_FRAME_BYTES) throw new RangeError(`A broker announced an answer of ${length} bytes`);
  const end = length + 4;
  if (received.length < end) return undefined;
  return { correlation: received.readInt32BE(4), body: received.subarray(8, end), end };
}

/**
 * The topic's id in an answer.
 *
 * @returns a UUID; undefined for a topic that does not exist
 */
export function readTopicId(answer: Buffer, topic: string): string | undefined {
  const read = reader(answer);
  read.tags();
  read.skip(4);
  for (let left = read.varint() - 1; left > 0; left--) {
    read.skip(4);
    read.text();
    read.skip(4);
    read.text();
    read.tags();
  }
  read.text();
  read.skip(4);
  if (read.varint() !== 2) throw new RangeError(`A broker answered about other topics than ${topic}`);
  const errorCode = answer.readInt16BE(read.skip(2));
  read.text();
  const at = read.skip(UUID_BYTES);
  if (errorCode === UNKNOWN_TOPIC_OR_PARTITION) return undefined;
  if (errorCode !== 0) throw new Error(`A broker cannot describe topic ${topic} now: error ${errorCode}`);
  const hex = answer.toString('hex', at, at + UUID_BYTES);
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

interface Reader {
  /** @returns where the skipped bytes begin */
  skip(bytes: number): number;
  varint(): number;
  /** Skips a compact, nullable string. */
  text(): void;
  /** Skips tagged fields. */
  tags(): void;
}

function reader(bytes: Buffer): Reader {
  let at = 0;
  const skip = (count: number): number => {
    const from = at;
    at += count;
    if (at > bytes.length) throw new RangeError('A broker’s answer is cut short');
    return from;
  };
  const readVarint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes.readUInt8(skip(1));
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
    throw new RangeError('A broker’s answer holds a number of more than 32 bits');
  };
  return {
    skip,
    varint: readVarint,
    text: () => void skip(Math.max(0, readVarint() - 1)),
    tags: () => {
      for (let left = readVarint(); left > 0; left--) {
        readVarint();
        skip(readVarint());
      }
    },
  };
}
