import type { RecordsBatch } from '@platformatic/kafka';
import type { RawRecord, RecordHeader } from '../../../model/events/records/raw-record.ts';
import type { AbortedTransaction } from '../records/fetched-records.ts';
import type { RecordSlice, RecordSource } from '../records/record-source.ts';
import type { RecordOrigin } from '../records/wire-record.ts';

const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
const ABORT_MARKER = 0;
const NO_HEADERS: readonly RecordHeader[] = [];
const NOTHING = Buffer.alloc(0);

/** Batches that @platformatic/kafka has decoded; what transactions gave up is left to its user to leave out. */
export class BatchRecords implements RecordSource {
  readonly endOffset: bigint;
  private readonly records: RawRecord[] = [];
  private readonly origin: RecordOrigin;
  private position: bigint;
  private at = 0;

  constructor(
    origin: RecordOrigin & { readonly fetchedFrom: bigint },
    batches: readonly RecordsBatch[],
    aborted: readonly AbortedTransaction[],
  ) {
    this.origin = origin;
    this.position = origin.fetchedFrom;
    const waiting = [...aborted].sort((a, b) => Number(a.firstOffset - b.firstOffset));
    const abortedProducers = new Set<bigint>();
    let end = origin.fetchedFrom;
    for (const batch of batches) {
      const last = batch.firstOffset + BigInt(batch.lastOffsetDelta);
      for (let next = waiting[0]; next && next.firstOffset <= last; next = waiting[0]) {
        abortedProducers.add(next.producerId);
        waiting.shift();
      }
      if ((batch.attributes & CONTROL) !== 0) {
        const type = batch.records[0]?.key?.readInt16BE(2);
        if (type === ABORT_MARKER) abortedProducers.delete(batch.producerId);
      } else if ((batch.attributes & TRANSACTIONAL) === 0 || !abortedProducers.has(batch.producerId)) {
        this.take(batch, origin.fetchedFrom);
      }
      if (last >= end) end = last + 1n;
    }
    this.endOffset = end;
  }

  next(limit: { readonly records: number }): RecordSlice | undefined {
    if (this.position >= this.endOffset) return undefined;
    const records = this.records.slice(this.at, this.at + limit.records);
    this.at += records.length;
    const last = records.at(-1);
    const fetchedFrom = this.position;
    this.position = this.at === this.records.length || !last ? this.endOffset : last.offset + 1n;
    return { fetchedFrom, nextOffset: this.position, records };
  }

  private take({ records, attributes, firstOffset, firstTimestamp, maxTimestamp }: RecordsBatch, from: bigint): void {
    for (const { key, value, headers, offsetDelta, timestampDelta } of records) {
      const offset = firstOffset + BigInt(offsetDelta);
      if (offset < from) continue;
      const time = (attributes & LOG_APPEND_TIME) === 0 ? firstTimestamp + timestampDelta : maxTimestamp;
      const { topic, partition } = this.origin;
      const named = headers.map(([name, header]) => ({ name: String(name ?? ''), value: header ?? NOTHING }));
      this.records.push({
        key,
        value,
        headers: named.length === 0 ? NO_HEADERS : named,
        timestampMs: Number(time),
        topic,
        partition,
        offset,
      });
    }
  }
}
