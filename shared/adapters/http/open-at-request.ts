import { ConfigError, PenstockError } from '../../base/errors.ts';

/** The function could not be opened. Nobody has shown a token yet: the answer tells no more than that, the log has the cause. */
export class NotReadyError extends PenstockError {
  constructor(cause: unknown) {
    const isConfig = cause instanceof ConfigError;
    super(isConfig ? 'This function is not set up' : 'This function cannot start yet', {
      code: isConfig ? 'CONFIG' : 'NOT_READY',
      remedy: isConfig ? 'Its log names each setting that is wrong' : 'Send the request again later; its log says why',
      retryable: !isConfig,
      cause,
    });
  }
}

/** Something that requests open and the end of the process closes. */
export interface OpenAtRequest<T> {
  /** @throws {NotReadyError} when it cannot be opened; the next call tries again */
  open(): Promise<T>;
  /** Closes it if it was opened. */
  close(): Promise<void>;
}

/**
 * Opens what a function stands on at its first request, once, so that what is missing at start is said in an answer, and
 * mended without a restart.
 */
export function openAtRequest<T extends { close(): Promise<unknown> }>(opener: () => Promise<T>): OpenAtRequest<T> {
  let opened: Promise<T> | undefined;
  return {
    open() {
      opened ??= opener().catch((cause: unknown) => {
        opened = undefined;
        throw new NotReadyError(cause);
      });
      return opened;
    },
    async close() {
      const last = await opened?.catch(() => undefined);
      await last?.close();
    },
  };
}
