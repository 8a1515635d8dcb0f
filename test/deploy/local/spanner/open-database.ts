import { Catalog, type OpenDatabase } from '../../../../deploy/local/spanner/engine/catalog.ts';
import type { Database } from '../../../../deploy/local/spanner/engine/database.ts';
import { planRead, type ReadSpec, readRows } from '../../../../deploy/local/spanner/engine/read-rows.ts';
import type { ReadSet } from '../../../../deploy/local/spanner/engine/read-set.ts';
import type { WireKeySet, WireMutation } from '../../../../deploy/local/spanner/engine/wire-mutation.ts';
import type { WireValue } from '../../../../deploy/local/spanner/engine/wire-value.ts';
import type { CompileTable } from '../../../../deploy/local/spanner/row-program.ts';
import type { JournalRecord } from '../../../../deploy/local/spanner/storage/journal-record.ts';
import type { Cell } from '../../../../deploy/local/spanner/values.ts';

export const NAME = 'projects/p/instances/i/databases/d';

/** A value as a test writes it; bigint becomes a string, as INT64 travels. */
export type Plain = null | boolean | number | bigint | string | readonly Plain[];

/** A clock that moves only when it is told to. */
export interface TestClock {
  now: number;
}

/** A database in memory with a schema. */
export async function openDatabase(
  statements: readonly string[],
  options: { clock?: TestClock; journal?: JournalRecord[]; compileTable?: CompileTable } = {},
): Promise<OpenDatabase> {
  const { clock, journal } = options;
  const catalog = new Catalog({
    now: clock ? () => clock.now : Date.now,
    evaluate: async (sql) => {
      throw new Error(`No SQL evaluator in this test for ${sql}`);
    },
    compileTable: options.compileTable ?? refuseToCompile,
    append: (record) => journal?.push(record),
  });
  catalog.record({ kind: 'database', name: NAME, createdAt: catalog.nowMicros() });
  const open = catalog.database(NAME);
  for (const statement of statements) await open.database.changeSchema(statement);
  return open;
}

const refuseToCompile: CompileTable = async (table) => {
  throw new Error(`No SQL evaluator in this test for ${table.name}`);
};

/** A write of rows given as objects; a member that only others have is NULL. */
export function write(
  kind: 'insert' | 'update' | 'insertOrUpdate' | 'replace',
  table: string,
  ...rows: readonly Readonly<Record<string, Plain>>[]
): WireMutation {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return {
    [kind]: { table, columns, values: rows.map((row) => ({ values: columns.map((name) => wire(row[name] ?? null)) })) },
  };
}

/** A deletion of single rows. */
export function remove(table: string, ...keys: readonly (readonly Plain[])[]): WireMutation {
  return { delete: { table, keySet: { keys: keys.map((key) => ({ values: key.map(wire) })) } } };
}

/** The wanted cells of the rows read, strongly unless told otherwise. */
export function read(
  database: Database,
  spec: Partial<ReadSpec> & Pick<ReadSpec, 'table' | 'columns'>,
  options: { timestamp?: number; readSet?: ReadSet } = {},
): Cell[][] {
  const plan = planRead(database.stores, { index: '', keySet: { all: true }, limit: 0, ...spec });
  const timestamp = options.timestamp ?? database.clock.strongRead();
  return [...readRows(plan, { timestamp, readSet: options.readSet })].map(([, cells]) =>
    plan.places.map((place) => cells[place] ?? null),
  );
}

/** A key set of single keys. */
export function keys(...parts: readonly (readonly Plain[])[]): WireKeySet {
  return { keys: parts.map((key) => ({ values: key.map(wire) })) };
}

export function wire(plain: Plain): WireValue {
  if (plain === null) return { nullValue: 0 };
  if (typeof plain === 'boolean') return { boolValue: plain };
  if (typeof plain === 'number') return { numberValue: plain };
  if (typeof plain === 'bigint') return { stringValue: plain.toString() };
  if (typeof plain === 'string') return { stringValue: plain };
  return { listValue: { values: plain.map(wire) } };
}
