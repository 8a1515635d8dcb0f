import { protos } from '@google-cloud/spanner';
import type { TableMutation } from '../../../../shared/model/events/resolve/change.ts';
import type { EncodedRow } from '../../../../shared/model/events/row-bytes.ts';
import type { Cell } from '../../../../shared/model/events/values/cell.ts';

const { Write } = protos.google.spanner.v1.Mutation;

/** Encoded rows as Google's own decoder reads them. */
function decode(rows: readonly EncodedRow[]): Cell[][] {
  const bytes = rows.map(({ arena, from, to }) => arena.bytes.subarray(from, to));
  return Write.decode(Buffer.concat(bytes)).values.map(({ values }) => (values ?? []).map(cellOf));
}

function cellOf({ stringValue, numberValue, boolValue }: protos.google.protobuf.IValue): Cell {
  return stringValue ?? numberValue ?? boolValue ?? null;
}

export interface MemoryTable {
  readonly key: readonly string[];
  readonly parent?: string;
}

type Row = Readonly<Record<string, Cell>>;

/** Tables in memory that do mutations one after the other as Spanner does, with its refusals and cascades. */
export class MemoryTables {
  readonly rows = new Map<string, Map<string, Row>>();
  private readonly tables: Readonly<Record<string, MemoryTable>>;

  constructor(tables: Readonly<Record<string, MemoryTable>>) {
    this.tables = { ...tables, PenstockDeletedVersions: { key: ['TableName', 'KeyHash'] } };
    for (const name of Object.keys(this.tables)) this.rows.set(name, new Map());
  }

  /** As a transaction's reads. */
  read(table: string, keys: readonly (readonly Cell[])[], columns: readonly string[]): Promise<Cell[][]> {
    const read: Cell[][] = [];
    for (const key of keys) {
      const row = this.in(table).get(JSON.stringify(key));
      if (row) read.push(columns.map((column) => row[column] ?? null));
    }
    return Promise.resolve(read);
  }

  apply(mutations: readonly TableMutation[]): void {
    for (const mutation of mutations) {
      if (mutation.operation === 'delete') for (const key of mutation.keys) this.delete(mutation.table, key);
      else for (const cells of [...mutation.rows, ...decode(mutation.encoded ?? [])]) this.write(mutation, cells);
    }
  }

  /** What the tables hold, comparable. */
  contents(): Record<string, Row[]> {
    const sorted = (rows: Map<string, Row>): Row[] =>
      [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
    return Object.fromEntries([...this.rows].map(([name, rows]) => [name, sorted(rows)]));
  }

  private in(table: string): Map<string, Row> {
    const rows = this.rows.get(table);
    if (!rows) throw new Error(`There is no table ${table}`);
    return rows;
  }

  private delete(table: string, key: readonly Cell[]): void {
    this.in(table).delete(JSON.stringify(key));
    for (const [name, { parent }] of Object.entries(this.tables)) {
      if (parent !== table) continue;
      for (const child of [...this.in(name).keys()]) {
        const cells: Cell[] = JSON.parse(child);
        if (JSON.stringify(cells.slice(0, key.length)) === JSON.stringify(key)) this.delete(name, cells);
      }
    }
  }

  private write(mutation: Exclude<TableMutation, { operation: 'delete' }>, cells: readonly Cell[]): void {
    const { table, operation } = mutation;
    const definition = this.tables[table];
    if (!definition) throw new Error(`There is no table ${table}`);
    const row: Row = Object.fromEntries(mutation.columns.map((name, at) => [name, cells[at] ?? null]));
    const key = definition.key.map((name) => row[name] ?? null);
    const text = JSON.stringify(key);
    const held = this.in(table).get(text);
    if (operation === 'insert' && held) throw new Error(`ALREADY_EXISTS ${table} ${text}`);
    if (operation === 'update' && !held) throw new Error(`NOT_FOUND ${table} ${text}`);
    if (operation === 'replace') this.delete(table, key);
    const { parent } = definition;
    if (parent !== undefined) {
      const above = JSON.stringify(key.slice(0, this.tables[parent]?.key.length ?? 0));
      if (!this.in(parent).has(above)) throw new Error(`NOT_FOUND parent of ${table} ${text}`);
    }
    this.in(table).set(text, { ...(operation === 'replace' ? {} : held), ...row });
  }
}
