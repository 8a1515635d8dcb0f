import { type TableReader, tablesChanged } from '../../shared/adapters/spanner/ingest/open-pipeline.ts';
import { messageOf } from '../../shared/base/errors.ts';
import type { Log } from '../../shared/base/log.ts';
import { type CompiledPipeline, tableNames } from '../../shared/model/events/compile-pipeline.ts';
import { TableChangedError } from './commit-records.ts';
import { pause } from './retry-delays.ts';

/** How often tables are looked at: a few reads of the schema a minute. */
export const TABLE_CHECK_MS = 60_000;

export interface TableWatchContext {
  readonly store: TableReader;
  readonly compiled: CompiledPipeline;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly everyMs: number;
  /** Gets a `TableChangedError`: the pipeline is to be checked and compiled again. */
  readonly onChange: (error: TableChangedError) => void;
}

/**
 * Looks now and then whether the tables still are what the pipeline was compiled for, so that a column that was added,
 * dropped or made NOT NULL is seen before Spanner refuses a row for it.
 *
 * @returns a function that looks at once, for partitions that were just taken
 */
export function watchTables(context: TableWatchContext): () => void {
  const { signal, everyMs } = context;
  let looking: Promise<void> | undefined;
  const look = (): Promise<void> => {
    looking ??= lookOnce(context).finally(() => {
      looking = undefined;
    });
    return looking;
  };
  void (async () => {
    for (;;) {
      await pause(everyMs, signal);
      if (signal.aborted) return;
      await look();
    }
  })();
  return () => void look();
}

async function lookOnce({ store, compiled, signal, log, onChange }: TableWatchContext): Promise<void> {
  try {
    if ((await tablesChanged(store, compiled)) && !signal.aborted)
      onChange(new TableChangedError(tableNames(compiled)));
  } catch (error) {
    // A table that cannot be looked at now is looked at again; commits say by themselves what they meet.
    log('DEBUG', `Cannot look at the tables of pipeline ${compiled.pipeline.name}: ${messageOf(error)}`);
  }
}
