import type { EventStore } from '../../shared/adapters/spanner/ingest/event-store.ts';
import type { Pipeline } from '../../shared/model/config/declaration.ts';
import { type BatchVerdict, poisonWindow } from '../../shared/model/events/records/poison-window.ts';

/**
 * Holds a pipeline to its `poisonLimit`: a batch that would pass it is not committed.
 *
 * The window is this worker's, and lives as long as it. Partitions that commit at the same moment do not see each other's
 * poison yet: the limit may be passed by what their batches hold.
 *
 * @returns a store whose `commit` throws {@link PoisonShareError}; the same store for a pipeline without a limit
 */
export function limitPoison(store: EventStore, pipeline: Pipeline): EventStore {
  const window = poisonWindow(pipeline);
  if (!window) return store;
  return {
    ...store,
    async commit(batch) {
      let verdict: BatchVerdict | undefined;
      const outcome = await store.commit({
        ...batch,
        admit: (seen) => {
          window.admit(seen);
          batch.admit?.(seen);
          verdict = seen;
        },
      });
      // When an answer was lost, the last attempt finds all of it known: what was seen before is what was committed.
      if (verdict) window.add(verdict);
      return outcome;
    },
  };
}
