import { constants, type IncomingHttpHeaders } from 'node:http2';

/** Codes of gRPC, by their numbers. Source: grpc.github.io/grpc/core/md_doc_statuscodes.html. */
const names = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;

export type GrpcStatus = (typeof names)[number];

/** What a proxy answers in HTTP's words. Source: grpc/doc/http-grpc-status-mapping.md. */
const httpStatus: Readonly<Record<number, GrpcStatus>> = {
  400: 'INTERNAL',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'UNIMPLEMENTED',
  429: 'UNAVAILABLE',
  502: 'UNAVAILABLE',
  503: 'UNAVAILABLE',
  504: 'UNAVAILABLE',
};

/** Why a stream was reset. Source: grpc/doc/PROTOCOL-HTTP2.md, Errors. */
const resetStatus: Readonly<Record<number, GrpcStatus>> = {
  [constants.NGHTTP2_REFUSED_STREAM]: 'UNAVAILABLE',
  [constants.NGHTTP2_CANCEL]: 'CANCELLED',
  [constants.NGHTTP2_ENHANCE_YOUR_CALM]: 'RESOURCE_EXHAUSTED',
  [constants.NGHTTP2_INADEQUATE_SECURITY]: 'PERMISSION_DENIED',
};

/** A call that failed, with the code that gRPC has for it. */
export class GrpcError extends Error {
  /** Number of the status. */
  readonly code: number;
  /** What the server sent along; empty when it sent nothing. */
  readonly trailers: IncomingHttpHeaders;

  constructor(
    status: GrpcStatus | number,
    details: string,
    more: { trailers?: IncomingHttpHeaders; cause?: unknown } = {},
  ) {
    const code = typeof status === 'number' ? status : names.indexOf(status);
    super(`${code} ${names[code] ?? 'UNKNOWN'}: ${details}`, more.cause === undefined ? {} : { cause: more.cause });
    this.name = 'GrpcError';
    this.code = code;
    this.trailers = more.trailers ?? {};
  }
}

/** The error that trailers tell of; undefined for a call that succeeded. */
export function errorOfTrailers(trailers: IncomingHttpHeaders): GrpcError | undefined {
  const code = Number(trailers['grpc-status']);
  if (code === 0) return undefined;
  const message = trailers['grpc-message'];
  const details = decoded(typeof message === 'string' ? message : '');
  return new GrpcError(Number.isInteger(code) && code > 0 ? code : 2, details, { trailers });
}

/** The error of an answer that is none of gRPC's; undefined for 200. */
export function errorOfHttpStatus(status: number | undefined): GrpcError | undefined {
  if (status === 200) return undefined;
  return new GrpcError(httpStatus[status ?? 0] ?? 'UNKNOWN', `The answer has HTTP status ${status}`);
}

/** The error of a stream that ended without a status: reset by the server, or cut with its connection. */
export function errorOfReset(resetCode: number | undefined, isConnectionGone: boolean, cause: unknown): GrpcError {
  const status = isConnectionGone ? 'UNAVAILABLE' : (resetStatus[resetCode ?? 0] ?? 'INTERNAL');
  const reason = isConnectionGone ? 'The connection was lost' : `The stream was closed with code ${resetCode}`;
  return new GrpcError(status, cause instanceof Error ? `${reason}: ${cause.message}` : reason, { cause });
}

/** `grpc-message` is percent-encoded; one that is not stays as it is. */
function decoded(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}
