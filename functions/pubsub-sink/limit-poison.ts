import type { EventStore } from '../../shared/adapters/spanner/ingest/event-store.ts';
import type { Clock } from '../../shared/base/clock.ts';
import type { Pipeline } from '../../shared/model/config/declaration.ts';
import { type BatchVerdict, PoisonShareError, poisonWindow } from '../../shared/model/events/records/poison-window.ts';

/** A stopped pipeline looks at messages again after this, with an empty window: what was wrong may have been mended. */
const STOPPED_MS = 60_000;

/**
 * Holds a pipeline to its `poisonLimit`: messages that would pass it are not taken, and none is for a minute after that.
 * Pub/Sub keeps them and delivers them again.
 *
 * @returns a store whose `takeEvents` throws {@link PoisonShareError}; the same store for a pipeline without a limit
 */
export function limitPoison(store: EventStore, pipeline: Pipeline, clock: Clock): EventStore {
  let window = poisonWindow(pipeline);
  if (!window) return store;
  let stopped: { readonly error: PoisonShareError; readonly until: number } | undefined;
  return {
    ...store,
    async takeEvents(takings, watch) {
      if (stopped && clock() < stopped.until) throw stopped.error;
      if (stopped) {
        stopped = undefined;
        window = poisonWindow(pipeline);
      }
      let verdict: BatchVerdict | undefined;
      try {
        const admit = (seen: BatchVerdict): void => {
          window?.admit(seen);
          watch?.admit?.(seen);
          verdict = seen;
        };
        const outcomes = await store.takeEvents(takings, { ...watch, admit });
        if (verdict) window?.add(verdict);
        return outcomes;
      } catch (error) {
        if (error instanceof PoisonShareError) stopped = { error, until: clock() + STOPPED_MS };
        throw error;
      }
    },
  };
}
