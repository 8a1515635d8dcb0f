import { PenstockError } from '../../base/errors.ts';
import { DecodeError } from './reader/reader-error.ts';

/** Codes of google.rpc.Code. */
const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;
const FAILED_PRECONDITION = 9;
const OUT_OF_RANGE = 11;
export const ABORTED = 10;
export const UNAVAILABLE = 14;
const CONSTRAINT_CODES = new Set([INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION, OUT_OF_RANGE]);
/** CANCELLED (a connection cut), UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL, UNAVAILABLE. */
const RETRYABLE_CODES = new Set([1, 2, 4, 8, ABORTED, 13, UNAVAILABLE]);

/** Spanner refuses what a transaction writes, and would again. */
export class ConstraintError extends PenstockError {
  constructor(table: string, cause: unknown) {
    super(`Spanner refuses these rows of ${table}`, {
      code: 'CONSTRAINT',
      remedy: 'The one record at fault is found and set aside; correct it, then redrive it',
      retryable: false,
      cause,
    });
  }
}

/** Spanner cannot be reached, or its answer was lost: the transaction may or may not have happened. */
export class StoreUnavailableError extends PenstockError {
  constructor(attempted: string, cause: unknown) {
    super(`Cannot ${attempted} now`, {
      code: 'STORE_UNAVAILABLE',
      remedy: 'Nothing to do: it is tried again, and the checkpoint decides what happened',
      retryable: true,
      cause,
    });
  }
}

/** The status code of a gRPC error; undefined for anything else. */
export function grpcCode(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'number' ? error.code : undefined;
}

/**
 * Sorts what a transaction threw: our own errors stay, a refusal becomes `ConstraintError`, an outage and an answer that
 * cannot be read `StoreUnavailableError`; everything else (permissions, bugs) stays as it is.
 */
export function sortedError(error: unknown, attempted: string, table: string): unknown {
  if (error instanceof DecodeError) return new StoreUnavailableError(attempted, error);
  if (error instanceof PenstockError) return error;
  const code = grpcCode(error);
  if (code === NOT_FOUND && isMissingContainer(error)) return error;
  if (code !== undefined && CONSTRAINT_CODES.has(code)) return new ConstraintError(table, error);
  return code !== undefined && RETRYABLE_CODES.has(code) ? new StoreUnavailableError(attempted, error) : error;
}

/** Spanner has forgotten the session: it was idle for long, or deleted. The same call succeeds in a new one. */
export function isLostSession(error: unknown): boolean {
  return grpcCode(error) === NOT_FOUND && error instanceof Error && /session not found/i.test(error.message);
}

/** A database, table or session that is not there is no fault of a row. */
function isMissingContainer(error: unknown): boolean {
  const message = error instanceof Error ? error.message : '';
  return /(?:database|instance|table|session|column) (?:\S+ )?(?:is )?not found/i.test(message);
}
