import type { ServerResponse } from 'node:http';
import { PenstockError } from '../../base/errors.ts';

/** An answer that says what is wrong, as RFC 9457 has it. */
export interface Problem {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  /** Stable, for programs. */
  readonly code: string;
  readonly remedy: string;
  /** Sent as `Retry-After`. */
  readonly retryAfterSeconds: number | undefined;
  /** Further members, which RFC 9457 leaves to each kind of problem. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/** The request itself is wrong: sending it again changes nothing. */
export class BadRequestError extends PenstockError {
  constructor(message: string, remedy: string, cause?: unknown) {
    super(message, { code: 'BAD_REQUEST', remedy, retryable: false, cause });
  }
}

const RETRY_AFTER_SECONDS = 5;

const statusOfCode: Readonly<Record<string, readonly [status: number, title: string]>> = {
  BAD_REQUEST: [400, 'Bad request'],
  UNAUTHENTICATED: [401, 'Unauthenticated'],
  FORBIDDEN: [403, 'Forbidden'],
  APPROVAL_NEEDED: [403, 'A second person has to approve'],
  OWN_APPROVAL: [403, 'Not your own request'],
  APPROVAL_EXPIRED: [409, 'Expired'],
  APPROVAL_CHANGED: [409, 'Changed'],
  APPROVAL_SETTLED: [409, 'Settled'],
  APPROVAL_MISSING: [403, 'Not approved'],
  NOT_FOUND: [404, 'Not found'],
  METHOD_NOT_ALLOWED: [405, 'Method not allowed'],
  CONFLICT: [409, 'Conflict'],
  TOO_LARGE: [413, 'Too large'],
  UNSUPPORTED: [415, 'Unsupported delivery'],
  POISON_SHARE: [503, 'Stopped by its share of poison'],
};

/** gRPC status codes after which the same call may succeed: what a database or broker that is down answers. */
const retryableGrpcCodes = new Set([4, 8, 10, 14]);

/**
 * Turns anything thrown into an answer.
 *
 * Whatever may succeed later becomes 503 with `Retry-After`. Causes are for the log, and so is the message of an error that
 * is not ours: they may hold data, addresses and paths.
 */
export function problemOf(error: unknown): Problem {
  if (error instanceof PenstockError) {
    const [status, title] = statusOfCode[error.code] ?? (error.retryable ? [503, 'Try again'] : [500, 'Failed']);
    return {
      status,
      title,
      detail: error.message,
      code: error.code,
      remedy: error.remedy,
      retryAfterSeconds: status === 503 ? RETRY_AFTER_SECONDS : undefined,
    };
  }
  const retryable = isRetryableGrpc(error);
  return {
    status: retryable ? 503 : 500,
    title: retryable ? 'Try again' : 'Failed',
    detail: retryable ? 'A service behind this function is not available' : 'An unexpected error; the log names it',
    code: retryable ? 'UNAVAILABLE' : 'INTERNAL',
    remedy: retryable ? 'Send the request again later' : 'Read the function’s log',
    retryAfterSeconds: retryable ? RETRY_AFTER_SECONDS : undefined,
  };
}

/** The headers that a problem is answered with. */
export function problemHeaders({ status, retryAfterSeconds }: Problem): Record<string, string> {
  return {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
    ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    ...(status === 405 ? { allow: 'POST' } : {}),
  };
}

/** The body that a problem is answered with. */
export function problemBody({ status, title, detail, code, remedy, members }: Problem): string {
  return JSON.stringify({ ...members, type: 'about:blank', title, status, detail, code, remedy });
}

/** Answers with `application/problem+json`; does nothing when an answer has been started already. */
export function sendProblem(response: ServerResponse, problem: Problem): void {
  if (response.headersSent) return;
  response.statusCode = problem.status;
  for (const [name, value] of Object.entries(problemHeaders(problem))) response.setHeader(name, value);
  response.end(problemBody(problem));
}

function isRetryableGrpc(error: unknown): boolean {
  return (
    typeof error === 'object' &&
    error !== null &&
    'code' in error &&
    typeof error.code === 'number' &&
    retryableGrpcCodes.has(error.code)
  );
}
