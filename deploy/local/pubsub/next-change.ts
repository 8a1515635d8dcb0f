import type { Engine } from './engine.ts';

/** Resolves when the subscription may have something to hand out, has changed or is gone, or when the signal is aborted. */
export async function nextChange(engine: Engine, subscription: string, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      stop();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const stop = engine.listen(subscription, done);
    signal.addEventListener('abort', done, { once: true });
  });
}
