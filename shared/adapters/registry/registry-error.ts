import { PenstockError } from '../../base/errors.ts';

/** The registry cannot be asked now: records that need it wait, none is set aside for it. */
export class RegistryUnavailableError extends PenstockError {
  /** How long the registry asked to be left alone, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    what: string,
    { cause, retryAfterMs }: { readonly cause?: unknown; readonly retryAfterMs?: number | undefined },
  ) {
    super(`Cannot ask the schema registry for ${what}`, {
      code: 'REGISTRY_UNAVAILABLE',
      remedy: 'Nothing to do while it is down; else check registry.url and registry.auth',
      retryable: true,
      cause,
    });
    this.retryAfterMs = retryAfterMs;
  }
}
