import type { EventStore } from '../../shared/adapters/spanner/ingest/event-store.ts';
import { StoreUnavailableError } from '../../shared/adapters/spanner/spanner-errors.ts';
import { ConfigError, type ConfigProblem, messageOf } from '../../shared/base/errors.ts';
import type { Log } from '../../shared/base/log.ts';
import type { Pipeline } from '../../shared/model/config/declaration.ts';
import { checkTable, missingTable } from '../../shared/model/events/check-table.ts';
import { type CompiledPipeline, compilePipeline } from '../../shared/model/events/compile-pipeline.ts';
import { pause, retryDelays } from './retry-delays.ts';

/**
 * Checks pipelines against their tables and compiles them; a Spanner that is down is waited for.
 *
 * @returns undefined when the signal came first
 * @throws {ConfigError} naming everything in which tables and pipelines do not fit
 */
export async function preparePipelines(
  store: EventStore,
  pipelines: readonly Pipeline[],
  { signal, log }: { readonly signal: AbortSignal; readonly log: Log },
): Promise<readonly CompiledPipeline[] | undefined> {
  const problems: ConfigProblem[] = [];
  const compiled: CompiledPipeline[] = [];
  for (const pipeline of pipelines) {
    const table = await readTable(store, pipeline, signal, log);
    if (table === 'aborted') return undefined;
    const found = table ? checkTable(pipeline, table) : [missingTable(pipeline, store.database)];
    problems.push(...found);
    if (table && found.length === 0) compiled.push(compilePipeline(pipeline, table));
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return compiled;
}

async function readTable(store: EventStore, pipeline: Pipeline, signal: AbortSignal, log: Log) {
  const delays = retryDelays();
  while (!signal.aborted) {
    try {
      return await store.readTable(pipeline.table);
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      const delayMs = delays.next().value;
      log('WARNING', `Spanner cannot be reached for pipeline ${pipeline.name}; waiting for it`, {
        cause: messageOf(error.cause),
        retryInMs: Math.round(delayMs),
      });
      await pause(delayMs, signal);
    }
  }
  return 'aborted';
}
