import type { EncodedRow } from '../row-bytes.ts';
import type { Cell } from '../values/cell.ts';
import { keyText } from '../values/key-text.ts';
import type { Row, RowKey, TableMutation } from './change.ts';
import { covers, type EncodedChange, type RowShape } from './encoded-change.ts';
import type { RowPlace } from './row-states.ts';
import { RowsByKey } from './rows-by-key.ts';
import type { TableWriter, WrittenTable } from './written-tables.ts';

/** How a row is written. */
export type WriteKind = 'insert' | 'update' | 'upsert' | 'replace';

/** One write or deletion of a row; `before` must happen first, where the two cannot be one. */
export type Operation =
  | { readonly operation: 'delete'; readonly key: RowKey }
  | { readonly operation: WriteKind; readonly row: Row; readonly before?: Operation | undefined }
  | {
      readonly operation: WriteKind;
      readonly encoded: EncodedChange;
      readonly writer: TableWriter;
      readonly before?: Operation | undefined;
    };

type Write = Exclude<Operation, { operation: 'delete' }>;

/** Gathers the operations of a batch on tables that are interleaved in each other, in the order of the records. */
export interface FamilyOperations {
  push(place: RowPlace, operation: Operation): void;
  /** Pushes the upsert of a row in bytes by its key's text alone: the way of most records. Only where a table is alone. */
  readonly upsertEncoded?: (change: EncodedChange, writer: TableWriter) => void;
  /** What the database must do, in this order. */
  mutations(): TableMutation[];
}

/** Makes the gathering for one family; `expectedRows` is about how many there will be. */
export function familyOperations(family: readonly WrittenTable[], expectedRows: number): FamilyOperations {
  return family.length === 1 ? loneOperations(family, expectedRows) : interleavedOperations(family);
}

/**
 * One table alone: one operation a key, in the order of each key's last change.
 *
 * While there are only rows in bytes of one writer and one shape, which is most batches, no operation is made of them.
 */
function loneOperations([written]: readonly WrittenTable[], expectedRows: number): FamilyOperations {
  const byKey = new Map<string, Operation>();
  let alike: { readonly byKey: RowsByKey; readonly writer: TableWriter; readonly shape: RowShape } | undefined;
  const push = (text: string, later: Operation): void => {
    for (const encoded of alike?.byKey.rows ?? []) {
      if (alike) byKey.set(encoded.keyText, { operation: 'upsert', encoded, writer: alike.writer });
    }
    alike = undefined;
    const earlier = byKey.get(text);
    if (earlier) byKey.delete(text);
    byKey.set(text, earlier ? follow(earlier, later) : later);
  };
  return {
    push: ({ text }, later) => push(text, later),
    upsertEncoded(encoded, writer) {
      const { arena, shape } = encoded;
      if (byKey.size === 0) alike ??= { byKey: new RowsByKey(arena, expectedRows), writer, shape };
      if (alike?.writer === writer && alike.shape === shape && alike.byKey.set(encoded)) return;
      push(encoded.keyText, { operation: 'upsert', encoded, writer });
    },
    mutations() {
      if (!written) return [];
      return alike ? [upsertOf(written, alike.shape, alike.byKey.rows)] : mutationsOf(written, byKey.values());
    },
  };
}

function upsertOf({ table }: WrittenTable, { columns }: RowShape, encoded: readonly EncodedRow[]): TableMutation {
  return { operation: 'upsert', table: table.name, columns, rows: [], encoded };
}

/**
 * Two operations on one key as one: a deletion or a replacement leaves nothing of what was before, a write after a
 * deletion nothing of the old row. A partial row over one in bytes stays two, in order, and so do rows in bytes of which the
 * later one leaves some of the earlier one's cells.
 */
function follow(earlier: Operation, later: Operation): Operation {
  if (later.operation === 'delete' || later.operation === 'replace') return later;
  if (earlier.operation === 'delete') return { ...later, operation: 'replace' };
  const { operation } = earlier;
  if ('encoded' in later) {
    const isReplaced =
      'encoded' in earlier && earlier.writer === later.writer && covers(later.encoded.shape, earlier.encoded.shape);
    if (isReplaced) return { ...later, operation, before: earlier.before };
    return { ...later, operation: afterwards(earlier), before: earlier };
  }
  if ('encoded' in earlier) return { ...later, operation: afterwards(earlier), before: earlier };
  const row = later.row.map((cell, at) => (cell === undefined ? earlier.row[at] : cell));
  return { operation, row, before: earlier.before };
}

/** A row that an earlier operation of the same batch has written is there. */
function afterwards({ operation }: Write): WriteKind {
  return operation === 'update' ? 'update' : 'upsert';
}

/** Deletions, then writes: what one after the other may happen together. */
interface Phase {
  readonly deletes: ReadonlyMap<WrittenTable, Map<string, Operation>>;
  readonly writes: ReadonlyMap<WrittenTable, Map<string, Write>>;
  /** Rows above the written ones: deleting one of them would take its written children along. */
  readonly parents: Set<string>;
}

/**
 * Interleaved tables: children are deleted before their parents, parents are written before their children. A parent that
 * is deleted or replaced after a child of it was written begins another phase, since deleting it takes the child along.
 */
function interleavedOperations(family: readonly WrittenTable[]): FamilyOperations {
  const phases: Phase[] = [];
  const open = (): Phase => {
    const phase = {
      deletes: new Map(family.map((written) => [written, new Map<string, Operation>()])),
      writes: new Map(family.map((written) => [written, new Map<string, Write>()])),
      parents: new Set<string>(),
    };
    phases.push(phase);
    return phase;
  };
  let phase = open();
  return {
    push({ written, text, key }, later) {
      const removes = later.operation === 'delete' || later.operation === 'replace';
      if (removes && phase.parents.has(placeOf(written, text))) phase = open();
      if (later.operation === 'delete') {
        phase.writes.get(written)?.delete(text);
        phase.deletes.get(written)?.set(text, later);
        return;
      }
      const writes = phase.writes.get(written);
      const earlier = writes?.get(text);
      const both = earlier ? follow(earlier, later) : later;
      if (both.operation !== 'delete') writes?.set(text, both);
      for (const ancestor of written.ancestors) {
        const above = key().slice(0, ancestor.table.primaryKey.length);
        phase.parents.add(placeOf(ancestor, keyText(above)));
      }
    },
    mutations: () =>
      phases.flatMap(({ deletes, writes }) => [
        ...family.toReversed().flatMap((written) => mutationsOf(written, deletes.get(written)?.values() ?? [])),
        ...family.flatMap((written) => mutationsOf(written, writes.get(written)?.values() ?? [])),
      ]),
  };
}

function placeOf({ table }: WrittenTable, text: string): string {
  return `${table.name}\n${text}`;
}

/** Neighbours of the same operation on the same columns share a mutation. */
function mutationsOf(written: WrittenTable, operations: Iterable<Operation>): TableMutation[] {
  const mutations: TableMutation[] = [];
  const table = written.table.name;
  let open: Operation['operation'] | undefined;
  let openWriter: TableWriter | undefined;
  let openShape: RowShape | string = '';
  let rows: (readonly Cell[])[] = [];
  let encoded: EncodedRow[] = [];
  const add = (item: Operation): void => {
    if ('before' in item && item.before) add(item.before);
    const { operation } = item;
    const writer = 'encoded' in item ? item.writer : undefined;
    const shape = 'encoded' in item ? item.encoded.shape : 'row' in item ? shapeOf(item.row) : '';
    if (open !== operation || openWriter !== writer || openShape !== shape) {
      open = operation;
      openWriter = writer;
      openShape = shape;
      rows = [];
      encoded = [];
      if (operation === 'delete') mutations.push({ operation, table, keys: rows });
      else if ('encoded' in item) {
        mutations.push({ operation, table, columns: item.encoded.shape.columns, rows, encoded });
      } else mutations.push({ operation, table, columns: namesOf(written, item.row), rows });
    }
    if ('encoded' in item) encoded.push(item.encoded);
    else if ('row' in item) rows.push(item.row.filter((cell) => cell !== undefined));
    else rows.push(item.key.cells);
  };
  for (const item of operations) add(item);
  return mutations;
}

function namesOf({ columns }: WrittenTable, row: Row): string[] {
  return columns.flatMap(({ name }, at) => (row[at] === undefined ? [] : [name]));
}

/** Which columns a row leaves as they are. */
function shapeOf(row: Row): string {
  let shape = '';
  for (let at = 0; at < row.length; at++) if (row[at] === undefined) shape += `${at},`;
  return shape;
}
