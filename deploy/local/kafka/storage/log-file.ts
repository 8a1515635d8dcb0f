import { closeSync, fstatSync, ftruncateSync, openSync, readSync, rmSync, writeSync } from 'node:fs';

const FIRST_MEMORY_BYTES = 64 * 1024;

/** Bytes that only grow at the end, on disk or in memory. */
export interface LogFile {
  readonly length: number;
  /** Appends all of it or, when it throws, nothing. */
  append(bytes: Buffer): void;
  /** At most `length` bytes from `position`; what is given stays valid whatever is appended later. */
  read(position: number, length: number): Buffer;
  truncate(length: number): void;
  close(): void;
  /** Closes it and takes it from the disk. */
  remove(): void;
}

/** Opens a file on disk, made when missing. */
export function openDiskFile(path: string): LogFile {
  const file = openSync(path, 'a+');
  let length = fstatSync(file).size;
  return {
    get length() {
      return length;
    },
    append(bytes) {
      let at = 0;
      try {
        while (at < bytes.length) at += writeSync(file, bytes, at);
      } catch (error) {
        ftruncateSync(file, length);
        throw error;
      }
      length += bytes.length;
    },
    read(position, wanted) {
      const bytes = Buffer.allocUnsafeSlow(Math.max(0, Math.min(wanted, length - position)));
      let at = 0;
      while (at < bytes.length) {
        const count = readSync(file, bytes, at, bytes.length - at, position + at);
        if (count === 0) throw new Error(`${path} ends at ${position + at}, before the ${length} bytes written to it`);
        at += count;
      }
      return bytes;
    },
    truncate(kept) {
      ftruncateSync(file, kept);
      length = kept;
    },
    close() {
      closeSync(file);
    },
    remove() {
      closeSync(file);
      rmSync(path);
    },
  };
}

/** A file in memory, for a broker without a directory. */
export function openMemoryFile(): LogFile {
  let bytes = Buffer.allocUnsafeSlow(0);
  let length = 0;
  return {
    get length() {
      return length;
    },
    append(added) {
      if (length + added.length > bytes.length) {
        const grown = Buffer.allocUnsafeSlow(Math.max(FIRST_MEMORY_BYTES, bytes.length * 2, length + added.length));
        grown.set(bytes.subarray(0, length));
        bytes = grown;
      }
      bytes.set(added, length);
      length += added.length;
    },
    // What was read lies below `length` for good: appending writes above it or into a new buffer.
    read: (position, wanted) => bytes.subarray(position, Math.min(position + wanted, length)),
    truncate(kept) {
      bytes = Buffer.from(bytes.subarray(0, kept));
      length = kept;
    },
    close() {},
    remove() {
      bytes = Buffer.alloc(0);
      length = 0;
    },
  };
}
