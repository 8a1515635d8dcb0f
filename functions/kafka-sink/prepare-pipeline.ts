import type { EventStore } from '../../shared/adapters/spanner/ingest/event-store.ts';
import { openPipeline } from '../../shared/adapters/spanner/ingest/open-pipeline.ts';
import { StoreUnavailableError } from '../../shared/adapters/spanner/spanner-errors.ts';
import { messageOf, PenstockError } from '../../shared/base/errors.ts';
import type { Log } from '../../shared/base/log.ts';
import type { Pipeline } from '../../shared/model/config/declaration.ts';
import type { CompiledPipeline } from '../../shared/model/events/compile-pipeline.ts';
import type { SchemaBook } from '../../shared/model/formats/schema-book.ts';
import { pause, retryDelays } from './retry-delays.ts';

/**
 * Checks a pipeline against its tables and compiles it; a Spanner that is down is waited for.
 *
 * @returns undefined when the signal came first
 * @throws {ConfigError} naming everything in which tables and pipeline do not fit
 */
export async function preparePipeline(
  store: EventStore,
  pipeline: Pipeline,
  {
    signal,
    log,
    schemas,
  }: { readonly signal: AbortSignal; readonly log: Log; readonly schemas?: SchemaBook | undefined },
): Promise<CompiledPipeline | undefined> {
  const delays = retryDelays();
  while (!signal.aborted) {
    try {
      return await openPipeline(store, pipeline, schemas);
    } catch (error) {
      if (!(error instanceof PenstockError && error.retryable)) throw error;
      const delayMs = delays.next().value;
      const what = error instanceof StoreUnavailableError ? 'Spanner' : 'The schema registry';
      log('WARNING', `${what} cannot be reached for pipeline ${pipeline.name}; waiting for it`, {
        cause: messageOf(error.cause),
        retryInMs: Math.round(delayMs),
      });
      await pause(delayMs, signal);
    }
  }
  return undefined;
}
