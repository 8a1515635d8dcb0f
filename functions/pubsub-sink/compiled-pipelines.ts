import { openPipeline, type TableReader, tablesChanged } from '../../shared/adapters/spanner/ingest/open-pipeline.ts';
import type { Clock } from '../../shared/base/clock.ts';
import type { Pipeline } from '../../shared/model/config/declaration.ts';
import type { CompiledPipeline } from '../../shared/model/events/compile-pipeline.ts';
import type { SchemaBook } from '../../shared/model/formats/schema-book.ts';

/** How often tables are looked at while messages come. */
const TABLE_CHECK_MS = 60_000;

/** Pipelines compiled for their tables as they are. */
export interface CompiledPipelines {
  /**
   * @throws {ConfigError} when pipeline and tables do not fit
   * @throws {StoreUnavailableError} while Spanner cannot be reached
   */
  get(pipeline: Pipeline): Promise<CompiledPipeline>;
  /** The tables are to be read again. */
  forget(pipeline: Pipeline): void;
}

interface Held {
  readonly compiled: Promise<CompiledPipeline>;
  lookedAtMs: number;
}

/**
 * Compiles each pipeline at its first message, and again when its tables have changed: a message that comes a minute after
 * the last look has them looked at, without waiting for it.
 */
export function compiledPipelines(
  reader: TableReader,
  clock: Clock,
  schemas: SchemaBook | undefined,
): CompiledPipelines {
  const held = new Map<string, Held>();
  const drop = (name: string, one: Held): void => {
    if (held.get(name) === one) held.delete(name);
  };
  const look = async (name: string, one: Held): Promise<void> => {
    one.lookedAtMs = clock();
    if (await tablesChanged(reader, await one.compiled)) drop(name, one);
  };
  return {
    get(pipeline) {
      const { name } = pipeline;
      const known = held.get(name);
      if (known) {
        // What cannot be looked at now is looked at again; commits say by themselves what they meet.
        if (clock() - known.lookedAtMs >= TABLE_CHECK_MS) void look(name, known).catch(() => {});
        return known.compiled;
      }
      const one = { compiled: openPipeline(reader, pipeline, schemas), lookedAtMs: clock() };
      held.set(name, one);
      one.compiled.catch(() => drop(name, one));
      return one.compiled;
    },
    forget: ({ name }) => void held.delete(name),
  };
}
