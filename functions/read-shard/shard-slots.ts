/** Lets only so many shards be read at once in this process: each holds a flow-control window and a block. */
export type ShardSlots = <T>(signal: AbortSignal, work: () => Promise<T>) => Promise<T>;

/**
 * Opens the slots. Who finds none free waits in order of arrival, and has not taken its shard's lease meanwhile.
 *
 * @param count shards at once, >= 1
 * @throws what `signal` was aborted with, from the function that is returned, when it waited until then
 */
export function shardSlots(count: number): ShardSlots {
  let free = count;
  const waiting: (() => void)[] = [];
  const enter = async (signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    if (free > 0) {
      free -= 1;
      return;
    }
    const turn = Promise.withResolvers<void>();
    const leave = (): void => {
      const place = waiting.indexOf(turn.resolve);
      if (place < 0) return;
      waiting.splice(place, 1);
      turn.reject(signal.reason);
    };
    waiting.push(turn.resolve);
    signal.addEventListener('abort', leave, { once: true });
    await turn.promise.finally(() => signal.removeEventListener('abort', leave));
  };
  return async (signal, work) => {
    await enter(signal);
    try {
      return await work();
    } finally {
      // The slot goes to the next in line, or becomes free.
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
