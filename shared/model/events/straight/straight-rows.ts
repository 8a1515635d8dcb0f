import type { Pipeline, Target } from '../../config/declaration.ts';
import { noSchemas, type SchemaBook } from '../../formats/schema-book.ts';
import type { RawRecord } from '../records/raw-record.ts';
import { WHOLE_DOCUMENT } from '../records/read-source.ts';
import type { Change } from '../resolve/change.ts';
import { EncodedChange } from '../resolve/encoded-change.ts';
import type { WireWriter } from '../row-bytes.ts';
import type { PlannedColumn } from '../tables/column-plan.ts';
import type { Cell } from '../values/cell.ts';
import { fieldTree } from './field-tree.ts';
import type { RecordScanner } from './record-scanner.ts';
import { RowShapes } from './row-shapes.ts';
import { type ScannerChoice, scannerChoice } from './scanner-choice.ts';
import { ABSENT, type StraightColumn, straightColumn } from './straight-column.ts';
import { INTEGER, KIND_COUNT, LONG } from './value-kind.ts';
import { CELL_HEAD_BYTES, LOOP_BYTES } from './write-cells.ts';
import { isShortText, SHORT_TEXT_HEAD, writtenKeyText } from './written-key-text.ts';

/**
 * Writes a record's row into the writer; undefined for a record that is not plain, which the general path then maps, and
 * of which nothing stays written.
 */
export type StraightMapper = (record: RawRecord, writer: WireWriter) => Change | undefined;

/** What a pipeline and its table make of it. */
export interface StraightPlan {
  readonly pipeline: Pick<Pipeline, 'format' | 'keyFormat'>;
  readonly target: Pick<Target, 'mode' | 'guard' | 'aggregate'>;
  /** The columns written, in their order. */
  readonly planned: readonly PlannedColumn[];
  /** Where the primary key's columns stand among them, in the key's order. */
  readonly keyAt: readonly number[];
  /** The registered schemas, for formats that need them. */
  readonly schemas?: SchemaBook;
}

const MODES: ReadonlySet<Target['mode']> = new Set(['insert', 'update', 'upsert', 'replace']);
/** The most bytes of a cell whose text is not in the record: a timestamp. */
const MADE_BYTES = 32;
const ROW_HEAD_BYTES = 64;

/**
 * Compiles the way from a record's bytes straight to its row's, without making a value of anything in between.
 *
 * The general path (`compilePipeline`) stays the reference: what is written here is what it would have written, and every
 * record that it would refuse is left to it.
 *
 * @returns undefined for a pipeline whose records all take the general path
 * @throws {RangeError} as `compilePipeline`
 */
export function straightMapper(plan: StraightPlan): StraightMapper | undefined {
  const { pipeline, target, planned, keyAt, schemas = noSchemas } = plan;
  if (pipeline.keyFormat || !MODES.has(target.mode)) return undefined;
  if (target.guard !== undefined || target.aggregate || keyAt.some((at) => at < 0)) return undefined;
  const columns = planned.map(straightColumn);
  if (!columns.every((column) => column !== undefined)) return undefined;
  const paths = pathsOf(columns);
  if (paths.includes(WHOLE_DOCUMENT)) return undefined;
  const tree = fieldTree(paths);
  const choose = scannerChoice(pipeline.format, tree, schemas);
  if (!choose) return undefined;
  const shapes = new RowShapes(planned.map(({ column }) => column.name));
  const rows = new StraightRows(columns, { keyAt, slots: tree.slots, choose, shapes });
  return (record, writer) => rows.map(record, writer);
}

interface RowsPlan {
  readonly keyAt: readonly number[];
  readonly slots: readonly number[];
  readonly choose: ScannerChoice;
  readonly shapes: RowShapes;
}

class StraightRows {
  private readonly columns: readonly StraightColumn[];
  private readonly choose: ScannerChoice;
  /** By column and kind: `copied` of a field. */
  private readonly limits: Int32Array;
  /** By column: its slot; -1 for what does not come from a field. */
  private readonly slots: Int32Array;
  /** By column: its place in the key; -1 for what is not in the key. */
  private readonly keyPlaces: Int32Array;
  private readonly keyStarts: Int32Array;
  private readonly room: Room;
  private readonly shapes: RowShapes;
  /** Of the row in hand: which columns it has no cell for. */
  private readonly absent: Int32Array;
  private absentCount = 0;

  /** @param plan.slots of the columns that come from fields, in their order */
  constructor(columns: readonly StraightColumn[], { keyAt, slots, choose, shapes }: RowsPlan) {
    let field = 0;
    this.columns = columns;
    this.choose = choose;
    this.shapes = shapes;
    this.absent = new Int32Array(columns.length);
    this.limits = new Int32Array(columns.length * KIND_COUNT);
    for (const [at, column] of columns.entries()) {
      if (column.from === 'field') this.limits.set(column.copied, at * KIND_COUNT);
    }
    this.slots = Int32Array.from(columns, ({ from }) => (from === 'field' ? (slots[field++] ?? -1) : -1));
    this.keyPlaces = Int32Array.from(columns, (_, at) => keyAt.indexOf(at));
    this.keyStarts = new Int32Array(keyAt.length);
    this.room = roomOf(columns);
  }

  map(record: RawRecord, writer: WireWriter): Change | undefined {
    const { value } = record;
    if (value === null) return undefined;
    const scanner = this.choose(value);
    if (scanner === undefined || !scanner.scan(value)) return undefined;
    const { room } = this;
    const ofRecord = room.perValueByte * value.length + room.perKeyByte * (record.key?.length ?? 0);
    const needed = room.fixed + ofRecord + room.fieldCount * scanner.maxSourceBytes;
    writer.reserve(needed);
    const row = writer.beginRow();
    if (this.writeCells(record, value, scanner, writer, needed)) {
      const change = this.closeRow(writer, row);
      if (change) return change;
    }
    writer.dropRow(row);
    return undefined;
  }

  /** @returns undefined for a key that is too large */
  private closeRow(writer: WireWriter, row: number): EncodedChange | undefined {
    const { keyStarts } = this;
    const { bytes, at } = writer;
    const shape = this.shapes.without(this.absent, this.absentCount);
    const start = keyStarts[0] ?? 0;
    if (keyStarts.length === 1 && isShortText(bytes, start)) {
      // Closing a row may move it: its end stays where its cells end.
      const back = at - (start + SHORT_TEXT_HEAD);
      const length = bytes[start + SHORT_TEXT_HEAD - 1] ?? 0;
      const from = writer.closeRow(row);
      const keyFrom = writer.at - back;
      return new EncodedChange(writer, from, writer.at, keyFrom, keyFrom + length, shape);
    }
    const text = writtenKeyText(bytes, keyStarts);
    if (text === undefined) return undefined;
    const from = writer.closeRow(row);
    return new EncodedChange(writer, from, writer.at, -1, -1, shape, text);
  }

  /** @returns false where the general path must look */
  private writeCells(
    record: RawRecord,
    value: Buffer,
    scanner: RecordScanner,
    writer: WireWriter,
    needed: number,
  ): boolean {
    const { columns, limits, slots, keyPlaces, keyStarts } = this;
    const { kinds, froms, tos, sources, numbers } = scanner;
    let out = writer.bytes;
    let { at } = writer;
    this.absentCount = 0;
    for (let index = 0; index < columns.length; index++) {
      const column = columns[index];
      if (column === undefined) return false;
      const place = keyPlaces[index] ?? -1;
      if (place >= 0) keyStarts[place] = at;
      let next = -1;
      if (column.from === 'field') {
        const slot = slots[index] ?? 0;
        const kind = kinds[slot] ?? 0;
        const limit = limits[index * KIND_COUNT + kind] ?? 0;
        if (limit < 0) {
          if (limit !== ABSENT) return false;
          this.absent[this.absentCount++] = index;
          continue;
        }
        const from = froms[slot] ?? 0;
        const to = tos[slot] ?? 0;
        const source = sources[slot] ?? value;
        // Most cells are copied: inline, since a call through a table costs as much.
        if (limit > 0 && to - from <= limit && to - from <= LOOP_BYTES && isCanonical(kind, source, from)) {
          out[at] = 0x0a;
          out[at + 1] = to - from + 2;
          out[at + 2] = 0x1a;
          out[at + 3] = to - from;
          next = at + 4;
          for (let byte = from; byte < to; byte++) out[next++] = source[byte] ?? 0;
        } else if (kind >= LONG) {
          const write = column.numberWriters[kind];
          if (write !== undefined) next = write(out, at, numbers[slot] ?? 0);
        } else {
          const write = column.writers[kind];
          if (write !== undefined) next = write(out, at, source, from, to);
        }
      } else if (column.from === 'key') {
        const { key } = record;
        if (key !== null) next = column.write(out, at, key, 0, key.length);
      } else if (column.from === 'fixed') next = at + column.bytes.copy(out, at);
      if (next < 0) {
        const cell = read(column, scanner, slots[index] ?? -1, record, value);
        if (cell === undefined) return false;
        writer.at = at;
        writer.cell(cell);
        writer.reserve(needed);
        out = writer.bytes;
        next = writer.at;
      }
      at = next;
    }
    writer.at = at;
    return true;
  }
}

/** False for a minus nought. */
function isCanonical(kind: number, source: Buffer, from: number): boolean {
  return kind !== INTEGER || source[from] !== 0x2d || source[from + 1] !== 0x30;
}

/** One cell as the reference reads it; undefined where it refuses. */
function read(
  column: StraightColumn,
  scanner: RecordScanner,
  slot: number,
  record: RawRecord,
  value: Buffer,
): Cell | undefined {
  if (column.from === 'fixed') return undefined;
  try {
    if (column.from === 'field') return column.reader.fromJson(scanner.read(slot, value));
    const cell = column.read({ record, value: undefined, key: undefined }) ?? null;
    return cell === null && column.notNull ? undefined : cell;
  } catch {
    // The general path throws the same, and says why.
    return undefined;
  }
}

function pathsOf(columns: readonly StraightColumn[]): string[] {
  return columns.flatMap((column) => (column.from === 'field' ? [column.path] : []));
}

/** How many bytes a row takes at most, beyond cells that the reference reads. */
interface Room {
  readonly fixed: number;
  readonly perValueByte: number;
  readonly perKeyByte: number;
  readonly fieldCount: number;
}

function roomOf(columns: readonly StraightColumn[]): Room {
  const paths = pathsOf(columns);
  const fixed = columns.map((column) => (column.from === 'fixed' ? column.bytes.length : CELL_HEAD_BYTES + MADE_BYTES));
  return {
    fixed: fixed.reduce((sum, bytes) => sum + bytes, ROW_HEAD_BYTES),
    // A byte may be of several columns: those of its own path, and of the paths that lead to it.
    perValueByte: Math.max(0, ...paths.map((path) => paths.filter((other) => leadsTo(other, path)).length)),
    perKeyByte: columns.filter(({ from }) => from === 'key').length,
    fieldCount: paths.length,
  };
}

function leadsTo(outer: string, path: string): boolean {
  return outer === path || path.startsWith(`${outer}.`);
}
