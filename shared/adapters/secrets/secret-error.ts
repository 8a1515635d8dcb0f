import { PenstockError } from '../../base/errors.ts';

/** Why a secret could not be had; no message, remedy or cause ever holds a part of its value. */
export type SecretErrorCode =
  /** Secret Manager cannot be reached, or answered with damaged bytes. */
  | 'SECRET_UNAVAILABLE'
  /** There is no such secret or alias, its version is not enabled, or we may not read it. */
  | 'SECRET_REFUSED'
  /** The value is not of the form that its user needs. */
  | 'SECRET_MALFORMED'
  /** A value was used after the cache had taken another one, or had been closed. */
  | 'SECRET_OUTDATED';

const RETRYABLE: ReadonlySet<SecretErrorCode> = new Set(['SECRET_UNAVAILABLE', 'SECRET_OUTDATED']);

/** A secret could not be read or used. */
export class SecretError extends PenstockError {
  constructor(message: string, details: { code: SecretErrorCode; remedy: string; cause?: unknown }) {
    super(message, { ...details, retryable: RETRYABLE.has(details.code) });
  }
}
