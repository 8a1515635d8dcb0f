import assert from 'node:assert/strict';
import type { ColumnSource, RecordFormat, Target } from '../../../../../shared/model/config/declaration.ts';
import { compilePipeline } from '../../../../../shared/model/events/compile-pipeline.ts';
import type { RawRecord } from '../../../../../shared/model/events/records/raw-record.ts';
import { encodeRow, WireWriter } from '../../../../../shared/model/events/row-bytes.ts';
import { type StraightMapper, straightMapper } from '../../../../../shared/model/events/straight/straight-rows.ts';
import { planColumns } from '../../../../../shared/model/events/tables/column-plan.ts';
import type { TableSchema } from '../../../../../shared/model/events/tables/table-schema.ts';
import type { Cell } from '../../../../../shared/model/events/values/cell.ts';
import { noSchemas, type SchemaBook } from '../../../../../shared/model/formats/schema-book.ts';
import { plainPipeline } from '../../config/plain-pipeline.ts';

/** A target's two ways from a record to its change: straight, and by the reference. */
export interface BothWays {
  readonly straight: StraightMapper;
  /**
   * Maps a record in both ways, and refuses any difference.
   *
   * @returns true when the row was written straight, false when it was left to the reference
   */
  readonly agree: (record: RawRecord) => boolean;
}

/** Compiles a target in both ways. */
export function bothWays(
  table: TableSchema,
  columns: readonly ColumnSource[],
  more: Partial<Target> = {},
  { format = { kind: 'json' }, schemas = noSchemas }: { format?: RecordFormat; schemas?: SchemaBook } = {},
): BothWays {
  const pipeline = plainPipeline({ columns, ...more, pipeline: { format } });
  const [target] = pipeline.targets;
  assert.ok(target);
  const planned = planColumns(target, table);
  const keyAt = table.primaryKey.map((name) => planned.findIndex(({ column }) => column.name === name));
  const straight = straightMapper({ pipeline, target, planned, keyAt, schemas });
  assert.ok(straight, 'the target takes the general path');
  const compiled = compilePipeline(pipeline, new Map([[target.table, table]]), schemas);
  // One writer for all, small, so that it grows and rows lie anywhere.
  const writer = new WireWriter(64);
  return {
    straight,
    agree(record) {
      const before = writer.at;
      const change = straight(record, writer);
      assert.ok(change || writer.at === before, 'something of a row was left behind');
      return agree(record, change, compiled.map(record).change, writer);
    },
  };
}

type Mapped = ReturnType<StraightMapper>;

function agree(record: RawRecord, ours: Mapped, theirs: NonNullable<Mapped>, writer: WireWriter): boolean {
  const before = writer.at;
  if (ours === undefined) return false;
  const shown = `${record.key} ${record.value}`;
  assert.ok(theirs.kind === 'write', `written straight, but by the reference ${JSON.stringify(theirs)}: ${shown}`);
  assert.ok(ours.kind === 'encoded');
  const absent = theirs.row.flatMap((cell, place) => (cell === undefined ? [place] : []));
  assert.deepEqual(ours.shape.absent, absent, `other columns are left as they are: ${shown}`);
  assert.equal(ours.shape.columns.length, theirs.row.length - absent.length);
  const row = theirs.row.filter((cell): cell is Cell => cell !== undefined);
  const wanted = encodeRow(new WireWriter(), row);
  const bytes = ours.arena.bytes.subarray(ours.from, ours.to);
  assert.equal(hexOf(bytes), hexOf(wanted.arena.bytes.subarray(0, wanted.to)), shown);
  assert.equal(ours.keyText, theirs.key.text);
  assert.equal(ours.to, before);
  return true;
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
