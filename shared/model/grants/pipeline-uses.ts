import type { CompiledPipeline } from '../events/compile-pipeline.ts';
import { type TableWriter, type WrittenTable, writtenTables } from '../events/resolve/written-tables.ts';
import { guardUse } from './control-uses.ts';
import type { TableUse } from './table-grants.ts';

type Mode = TableWriter['target']['target']['mode'];

const INSERTING: ReadonlySet<Mode> = new Set(['insert', 'upsert', 'replace', 'aggregate']);
const UPDATING: ReadonlySet<Mode> = new Set(['update', 'upsert', 'aggregate']);

/**
 * What a sink does with a pipeline's tables: it writes what its targets write, and reads what guards, counters and policies
 * build on.
 */
export function pipelineUses({ pipeline, targets }: CompiledPipeline): TableUse[] {
  const grows = pipeline.onDrift === 'add-column';
  const written = writtenTables(targets).families.flat();
  const isGuarded = written.some(({ guardAt }) => guardAt >= 0);
  return [...written.map((table) => tableUse(table, grows)), ...(isGuarded ? [guardUse] : [])];
}

/** @param grows columns are added while the sink runs, so that the whole table must be granted */
function tableUse({ table, columns, tracked, writers }: WrittenTable, grows: boolean): TableUse {
  const names = columns.map(({ name }) => name);
  const modes = writers.map(({ target }) => target.target.mode);
  const readNames = [...table.primaryKey, ...tracked.flatMap((at) => names[at] ?? [])];
  const granted = (isUsed: boolean, of: readonly string[]) => (isUsed ? (grows ? 'all' : of) : []);
  return {
    table: table.name,
    select: granted(
      writers.some(({ readsFirst }) => readsFirst),
      readNames,
    ),
    insert: granted(
      modes.some((mode) => INSERTING.has(mode)),
      names,
    ),
    update: granted(
      modes.some((mode) => UPDATING.has(mode)),
      names,
    ),
    delete: writers.some(deletes),
  };
}

/** A replacement deletes the row before; a tombstone does in every mode but aggregates, unless it is declared not to. */
function deletes({ target: { target } }: TableWriter): boolean {
  const { mode, tombstones } = target;
  return mode === 'delete' || mode === 'replace' || (mode !== 'aggregate' && tombstones === 'delete');
}
