import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';

const HEADER_BYTES = 8;

/** An append-only file of framed records that survives kill -9: a torn last frame is cut off when it is opened again. */
export interface Journal {
  /**
   * Appends one record; it has reached the operating system when this returns.
   *
   * @throws when the disk is full: the journal then ends with the record before
   */
  append(record: Uint8Array): void;
  /** Replaces the whole file by these records, atomically. */
  rewrite(records: Iterable<Uint8Array>): void;
  close(): void;
}

/** A journal that keeps nothing, for servers started without a directory. */
export const noJournal: Journal = { append() {}, rewrite() {}, close() {} };

/**
 * Opens a journal and replays what it holds, oldest first.
 *
 * A frame is `[u32 length][u32 crc32][payload]`, little-endian.
 *
 * @param path the file; made with its folders when missing
 * @param replay called once per whole record before this returns
 */
export function openJournal(path: string, replay: (record: Buffer) => void): Journal {
  mkdirSync(dirname(path), { recursive: true });
  const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  const wholeBytes = replayFrames(bytes, replay);
  let file = openSync(path, 'a');
  let size = wholeBytes;
  if (wholeBytes < bytes.length) ftruncateSync(file, wholeBytes);
  return {
    append(record) {
      const framed = frame(record);
      try {
        writeAll(file, framed);
      } catch (error) {
        // A full disk takes a part: what is appended behind a torn frame would be lost at the next start.
        ftruncateSync(file, size);
        throw error;
      }
      size += framed.length;
    },
    rewrite(records) {
      const next = openSync(`${path}.next`, 'w');
      let nextSize = 0;
      for (const record of records) {
        const framed = frame(record);
        writeAll(next, framed);
        nextSize += framed.length;
      }
      closeSync(next);
      size = nextSize;
      renameSync(`${path}.next`, path);
      closeSync(file);
      file = openSync(path, 'a');
    },
    close() {
      closeSync(file);
    },
  };
}

function replayFrames(bytes: Buffer, replay: (record: Buffer) => void): number {
  let at = 0;
  while (at + HEADER_BYTES <= bytes.length) {
    const end = at + HEADER_BYTES + bytes.readUInt32LE(at);
    if (end > bytes.length) break;
    const payload = bytes.subarray(at + HEADER_BYTES, end);
    if (crc32(payload) !== bytes.readUInt32LE(at + 4)) break;
    replay(payload);
    at = end;
  }
  return at;
}

function frame(record: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(HEADER_BYTES + record.length);
  framed.writeUInt32LE(record.length, 0);
  framed.writeUInt32LE(crc32(record), 4);
  framed.set(record, HEADER_BYTES);
  return framed;
}

function writeAll(file: number, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) at += writeSync(file, bytes, at);
}
