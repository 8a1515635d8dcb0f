import type { IncomingMessage } from 'node:http';
import { PenstockError } from '../../base/errors.ts';
import { BadRequestError } from './problem.ts';

/** A request, with its body if the functions framework has read it; see `ownRequests`. */
export type FunctionRequest = IncomingMessage & { readonly rawBody?: Buffer };

/** The body is of a kind that is not read. */
export class UnsupportedBodyError extends PenstockError {
  constructor(message: string, remedy: string) {
    super(message, { code: 'UNSUPPORTED', remedy, retryable: false });
  }
}

/** The method is none that does anything here. */
export class MethodError extends PenstockError {
  constructor(method: string | undefined) {
    super(`${method} does nothing here`, { code: 'METHOD_NOT_ALLOWED', remedy: 'Send POST', retryable: false });
  }
}

/** The body is longer than this door reads. */
export class TooLargeError extends PenstockError {
  constructor(maxBytes: number) {
    super(`The body has more than ${maxBytes} bytes`, {
      code: 'TOO_LARGE',
      remedy: `Send at most ${maxBytes} bytes`,
      retryable: false,
    });
  }
}

const JSON_TYPE = /^application\/(?:json|[\w!#$&^.+-]+\+json)$/;

/**
 * Reads the JSON body of a POST. What is too large is not kept; what is left unread, Node discards.
 *
 * @returns undefined for an empty body, of whatever type
 * @throws {MethodError} for another method
 * @throws {TooLargeError} as soon as its length is known to be over `maxBytes`
 * @throws {UnsupportedBodyError} for another type, and for a packed body
 * @throws {BadRequestError} for what is no JSON in UTF-8, and when the sender goes before its end
 */
export async function readJson(request: FunctionRequest, maxBytes: number): Promise<unknown> {
  if (request.method !== 'POST') throw new MethodError(request.method);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw new TooLargeError(maxBytes);
  const bytes = request.rawBody ?? (await readBytes(request, maxBytes));
  if (bytes.length > maxBytes) throw new TooLargeError(maxBytes);
  if (bytes.length === 0) return undefined;
  checkKind(request);
  return parse(bytes);
}

/** The type of the body as it was sent, in lower case and without parameters; empty when none was. */
export function contentTypeOf({ headersDistinct }: IncomingMessage): string {
  const [type = ''] = (headersDistinct['content-type']?.[0] ?? '').split(';');
  return type.trim().toLowerCase();
}

function checkKind(request: IncomingMessage): void {
  const type = contentTypeOf(request);
  if (!JSON_TYPE.test(type)) {
    const what = type === '' ? 'The body has no type' : `The body is ${type.slice(0, 100)}`;
    throw new UnsupportedBodyError(what, 'Send application/json, and say so in Content-Type');
  }
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new UnsupportedBodyError(`The body is packed as ${encoding.slice(0, 100)}`, 'Send it as it is');
  }
}

/** By events: leaving an iterator early would destroy the connection, and with it the answer. */
function readBytes(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (act: () => void): void => {
      request.off('data', take).off('end', end).off('close', gone);
      act();
    };
    const take = (chunk: Buffer): void => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes > maxBytes) settle(() => reject(new TooLargeError(maxBytes)));
    };
    const end = (): void => settle(() => resolve(Buffer.concat(chunks, bytes)));
    const gone = (): void =>
      settle(() => reject(new BadRequestError('The body ended before its length', 'Send all of it')));
    // A cut connection is an error first; `close` follows.
    request
      .on('error', () => {})
      .on('data', take)
      .on('end', end)
      .on('close', gone);
    if (request.readableEnded) end();
    else if (request.destroyed) gone();
  });
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new BadRequestError('The body is no JSON in UTF-8', 'Send what you mean as JSON');
  }
}
