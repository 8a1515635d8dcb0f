import { crc32c } from '../../../base/crc32c.ts';
import { UnreadableBatchError } from '../kafka-errors.ts';
import type { RecordSlice, RecordSource } from './record-source.ts';
import { unpackRecords } from './unpack-records.ts';
import { type RecordOrigin, VarintCursor, WireRecord } from './wire-record.ts';

/** Bytes before the first record of a batch of format 2. Source: kafka.apache.org, "Message format", record batch. */
const HEADER_BYTES = 61;
/** Offset and length, which a batch's length does not count. */
const PREFIX_BYTES = 12;
const CRC_FROM = 21;
const FORMAT = 2;
const CODEC = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
/** The least that a record can be: its length and six fields of one byte. */
const MIN_RECORD_BYTES = 7;
const ABORT_MARKER = 0;

/** A transaction that was given up, as a broker lists it beside the records. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

/** What one fetch brought of one partition. */
export interface FetchedBytes extends RecordOrigin {
  readonly bytes: Buffer;
  /** The offset that was asked for: records below it, which may come with it, are left out. */
  readonly fetchedFrom: bigint;
  readonly aborted: readonly AbortedTransaction[];
}

/** Records where they lie. */
export interface WireSlice extends RecordSlice {
  readonly records: readonly WireRecord[];
}

/** A batch in hand: its records, unpacked, and how far they have been read. */
interface OpenBatch {
  readonly cursor: VarintCursor;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly baseTimestamp: number;
  /** Undefined where each record has a time of its own. */
  readonly appendTime: number | undefined;
  recordsLeft: number;
  previousOffset: number;
}

/**
 * Reads the record batches of a fetch in slices, so that neither many tiny records nor well packed ones fill the memory: only
 * one batch is unpacked at a time. Checksums are compared; records of aborted transactions and control records are left out.
 */
export class FetchedRecords implements RecordSource {
  private readonly source: FetchedBytes;
  private readonly aborted: AbortedTransaction[];
  private readonly abortedProducers = new Set<bigint>();
  private at = 0;
  private open: OpenBatch | undefined;
  private position: number;
  private failure: unknown;

  constructor(source: FetchedBytes) {
    this.source = source;
    this.position = Number(source.fetchedFrom);
    this.aborted = [...source.aborted].sort((a, b) => Number(a.firstOffset - b.firstOffset));
  }

  /** After the last batch that came whole; nothing is verified yet. */
  get endOffset(): bigint {
    const { bytes, fetchedFrom } = this.source;
    let end = fetchedFrom;
    for (let at = 0; bytes.length - at >= HEADER_BYTES; ) {
      const length = bytes.readInt32BE(at + 8);
      if (length < HEADER_BYTES - PREFIX_BYTES || length > bytes.length - at - PREFIX_BYTES) break;
      const after = bytes.readBigInt64BE(at) + BigInt(bytes.readInt32BE(at + 23)) + 1n;
      if (after > end) end = after;
      at += PREFIX_BYTES + length;
    }
    return end;
  }

  /** Where the log goes on after what has been read. */
  get nextOffset(): bigint {
    return BigInt(this.position);
  }

  /** What a broker cut short at the end does not count. */
  next(limit: { readonly records: number; readonly bytes: number }): WireSlice | undefined {
    const fetchedFrom = this.nextOffset;
    const records: WireRecord[] = [];
    try {
      this.readInto(records, limit);
    } catch (error) {
      this.failure ??= error;
    }
    // What comes before the fault is good; after it, nothing is read any more.
    if (this.failure !== undefined && records.length === 0) throw this.failure;
    if (this.nextOffset === fetchedFrom) return undefined;
    return { fetchedFrom, nextOffset: this.nextOffset, records };
  }

  private readInto(records: WireRecord[], limit: { readonly records: number; readonly bytes: number }): void {
    if (this.failure !== undefined) throw this.failure;
    let bytes = 0;
    while (records.length < limit.records && bytes < limit.bytes) {
      this.open ??= this.openNext();
      if (!this.open) return;
      bytes += this.readFrom(this.open, records, { records: limit.records, bytes: limit.bytes - bytes });
    }
  }

  /** Opens the next batch with records for us; passes over the others. */
  private openNext(): OpenBatch | undefined {
    const { bytes } = this.source;
    while (bytes.length - this.at >= PREFIX_BYTES) {
      const from = this.at;
      const length = bytes.readInt32BE(from + 8);
      if (length < HEADER_BYTES - PREFIX_BYTES) throw this.unreadable(from, `its length is ${length}`);
      if (length > bytes.length - from - PREFIX_BYTES) return undefined;
      this.at = from + PREFIX_BYTES + length;
      const batch = this.openBatch(from, this.at);
      if (batch) return batch;
    }
    return undefined;
  }

  private openBatch(from: number, to: number): OpenBatch | undefined {
    const { bytes } = this.source;
    const format = bytes.readInt8(from + 16);
    if (format !== FORMAT) throw this.unreadable(from, `its format is ${format}, older than Kafka 0.11`);
    const wanted = bytes.readUInt32BE(from + 17);
    const sum = crc32c(bytes, from + CRC_FROM, to);
    if (sum !== wanted) throw this.unreadable(from, `its checksum is ${sum}, not ${wanted}`);
    const attributes = bytes.readInt16BE(from + 21);
    const baseOffset = this.number(from);
    const lastOffset = baseOffset + bytes.readInt32BE(from + 23);
    if (!Number.isSafeInteger(lastOffset) || lastOffset < baseOffset || baseOffset < 0) {
      throw this.unreadable(from, `its last offset is ${lastOffset}`);
    }
    const isForUs = this.passTransactions(from, to, attributes, lastOffset);
    if (!isForUs || lastOffset < this.position) {
      this.position = Math.max(this.position, lastOffset + 1);
      return undefined;
    }
    const unpacked = this.unpack(from, to, attributes & CODEC);
    const recordsLeft = bytes.readInt32BE(from + 57);
    const room = unpacked.end - unpacked.at;
    if (recordsLeft < 0 || recordsLeft * MIN_RECORD_BYTES > room) {
      throw this.unreadable(from, `it announces ${recordsLeft} records in ${room} bytes`);
    }
    const appendTime = (attributes & LOG_APPEND_TIME) === 0 ? undefined : this.number(from + 35);
    const baseTimestamp = this.number(from + 27);
    const previousOffset = baseOffset - 1;
    return { cursor: unpacked, baseOffset, lastOffset, baseTimestamp, appendTime, recordsLeft, previousOffset };
  }

  /** Whether a batch holds records that count. Source: KIP-98, "Reading transactional messages". */
  private passTransactions(from: number, to: number, attributes: number, lastOffset: number): boolean {
    while (this.aborted[0] !== undefined && this.aborted[0].firstOffset <= BigInt(lastOffset)) {
      this.abortedProducers.add(this.aborted[0].producerId);
      this.aborted.shift();
    }
    if ((attributes & TRANSACTIONAL) === 0) return (attributes & CONTROL) === 0;
    const producerId = this.source.bytes.readBigInt64BE(from + 43);
    if ((attributes & CONTROL) === 0) return !this.abortedProducers.has(producerId);
    if (this.isAbortMarker(from, to)) this.abortedProducers.delete(producerId);
    return false;
  }

  /** A control record's key is its version and its type, each an INT16. */
  private isAbortMarker(from: number, to: number): boolean {
    const cursor = new VarintCursor(this.source.bytes, from + HEADER_BYTES, to);
    try {
      cursor.varint();
      cursor.skip(1);
      cursor.varint();
      cursor.varint();
      const key = cursor.take(cursor.varint());
      return key.length >= 4 && key.readInt16BE(2) === ABORT_MARKER;
    } catch (error) {
      throw this.unreadable(from, 'it is no control batch', error);
    }
  }

  private unpack(from: number, to: number, codec: number): VarintCursor {
    const { bytes } = this.source;
    if (codec === 0) return new VarintCursor(bytes, from + HEADER_BYTES, to);
    try {
      const unpacked = unpackRecords(codec, bytes.subarray(from + HEADER_BYTES, to));
      return new VarintCursor(unpacked, 0, unpacked.length);
    } catch (error) {
      throw this.unreadable(from, 'its records cannot be unpacked', error);
    }
  }

  /** @returns how many bytes of records were read */
  private readFrom(batch: OpenBatch, into: WireRecord[], limit: { records: number; bytes: number }): number {
    const { cursor } = batch;
    const from = cursor.at;
    try {
      while (batch.recordsLeft > 0 && into.length < limit.records && cursor.at - from < limit.bytes) {
        batch.recordsLeft -= 1;
        const record = this.readRecord(batch);
        if (record.offsetNumber < this.position) continue;
        this.position = record.offsetNumber + 1;
        into.push(record);
      }
      if (batch.recordsLeft === 0 && cursor.at !== cursor.end) throw new RangeError('bytes are left after its records');
    } catch (error) {
      throw this.fault(batch.baseOffset, 'a record of it is malformed', error);
    }
    if (batch.recordsLeft === 0) {
      this.open = undefined;
      this.position = Math.max(this.position, batch.lastOffset + 1);
    }
    return cursor.at - from;
  }

  private readRecord(batch: OpenBatch): WireRecord {
    const { cursor } = batch;
    const length = cursor.varint();
    const end = cursor.at + length;
    if (length < MIN_RECORD_BYTES - 1 || end > cursor.end) throw new RangeError(`its length is ${length}`);
    cursor.skip(1);
    const timeDelta = cursor.varint();
    const offset = batch.baseOffset + cursor.varint();
    if (offset <= batch.previousOffset || offset > batch.lastOffset) throw new RangeError(`its offset is ${offset}`);
    batch.previousOffset = offset;
    const keyLength = cursor.varint();
    const keyFrom = cursor.at;
    if (keyLength > 0) cursor.skip(keyLength);
    const valueLength = cursor.varint();
    const valueFrom = cursor.at;
    if (valueLength > 0) cursor.skip(valueLength);
    const headerCount = cursor.varint();
    const headersFrom = cursor.at;
    if (headerCount !== 0) passHeaders(cursor, headerCount);
    if (cursor.at !== end) throw new RangeError(`it ends at ${cursor.at}, not at ${end}`);
    return new WireRecord(
      this.source,
      cursor.bytes,
      offset,
      batch.appendTime ?? batch.baseTimestamp + timeDelta,
      keyFrom,
      keyFrom + keyLength,
      valueFrom,
      valueFrom + valueLength,
      headersFrom,
      headerCount,
    );
  }

  private number(at: number): number {
    const { bytes } = this.source;
    return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
  }

  private unreadable(from: number, what: string, cause?: unknown): UnreadableBatchError {
    return this.fault(this.source.bytes.readBigInt64BE(from), what, cause);
  }

  private fault(offset: bigint | number, what: string, cause?: unknown): UnreadableBatchError {
    return new UnreadableBatchError(`${this.source.topic}/${this.source.partition}`, offset, what, cause);
  }
}

function passHeaders(cursor: VarintCursor, count: number): void {
  if (count < 0 || count > cursor.end - cursor.at) throw new RangeError(`it announces ${count} headers`);
  for (let left = count; left > 0; left--) {
    cursor.skip(cursor.varint());
    const length = cursor.varint();
    if (length > 0) cursor.skip(length);
  }
}
