/** Lets a shard's batches be under way while the next ones are made: a bounded number of them, whose memory is used again. */
export interface SendWindow {
  /**
   * Waits until one more may be begun.
   *
   * @returns the memory of a body that was answered for, where there is one
   * @throws what an earlier send failed with
   */
  room(): Promise<ArrayBuffer | undefined>;
  /** Begins to send a body, after `room`. */
  start(body: Buffer<ArrayBuffer>, put: (body: Buffer) => Promise<void>): void;
  /**
   * Waits for all that was begun, also when one of them failed.
   *
   * @throws what the first that failed did so with
   */
  drain(): Promise<void>;
}

/**
 * Opens a window.
 *
 * @param most sends under way, >= 1
 * @param maxBytes of all bodies under way, when the next one is as long as the last; one may always be sent
 */
export function sendWindow(most: number, maxBytes: number): SendWindow {
  const underWay = new Set<Promise<void>>();
  const rooms: ArrayBuffer[] = [];
  let bytes = 0;
  let lastBytes = 0;
  let failure: { readonly error: unknown } | undefined;
  const throwIfFailed = (): void => {
    if (failure) throw failure.error;
  };
  const isFull = (): boolean => underWay.size >= most || bytes + lastBytes > maxBytes;
  return {
    async room() {
      throwIfFailed();
      while (underWay.size > 0 && isFull()) {
        await Promise.race(underWay);
        throwIfFailed();
      }
      return rooms.pop();
    },
    start(body, put) {
      bytes += body.length;
      lastBytes = body.length;
      const sending: Promise<void> = put(body)
        // Only of what was answered for: of anything else it is not known who still reads it.
        .then(() => void rooms.push(body.buffer))
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => {
          bytes -= body.length;
          underWay.delete(sending);
        });
      underWay.add(sending);
    },
    async drain() {
      await Promise.all(underWay);
      throwIfFailed();
    },
  };
}
