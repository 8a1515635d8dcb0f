import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

const compressBrotli = promisify(brotliCompress);
const compressGzip = promisify(gzip);
/** Below this a packet is a packet. */
const LEAST_BYTES = 1_024;

/** Headers of every answer: nothing runs, frames, leaks or is guessed that the page did not mean to. */
export const securityHeaders: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types penstock',
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'x-frame-options': 'DENY',
};

/** An answer before it is fitted to what the client has and accepts. */
export interface Content {
  readonly status: number;
  readonly type: string;
  readonly body: string | Buffer<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
  /** What the tag is made of; absent for an answer that is never the same. */
  readonly identity?: string;
}

/**
 * Makes the response: 304 when the client has the same content already, compressed when it accepts that.
 *
 * The tag is weak: two answers that differ only in when they were made count as the same.
 */
export async function answer(request: Request, content: Content): Promise<Response> {
  const headers = new Headers({ ...securityHeaders, ...content.headers });
  headers.append('vary', 'Accept-Encoding');
  if (content.identity !== undefined) {
    const tag = `W/"${createHash('sha256').update(content.identity).digest('base64url').slice(0, 22)}"`;
    headers.set('etag', tag);
    if (hasTag(request, tag)) return new Response(null, { status: 304, headers });
  }
  headers.set('content-type', content.type);
  const bytes = typeof content.body === 'string' ? Buffer.from(content.body) : content.body;
  const encoding = bytes.length < LEAST_BYTES ? undefined : chooseEncoding(request.headers.get('accept-encoding'));
  if (encoding) headers.set('content-encoding', encoding);
  const sent = encoding ? await compress(bytes, encoding) : bytes;
  headers.set('content-length', String(sent.length));
  return new Response(request.method === 'HEAD' ? null : sent, { status: content.status, headers });
}

/** A full page load is answered in full, so that its time of day is right without a script. */
function hasTag(request: Request, tag: string): boolean {
  if (request.headers.get('sec-fetch-mode') === 'navigate') return false;
  const known = request.headers.get('if-none-match') ?? '';
  return known.split(',').some((candidate) => candidate.trim() === tag);
}

function chooseEncoding(accepted: string | null): 'br' | 'gzip' | undefined {
  const wanted = (accepted ?? '').split(',').flatMap((part) => {
    const [name, quality] = part.trim().split(';');
    return quality !== undefined && /^\s*q=0(\.0*)?\s*$/.test(quality) ? [] : [name?.trim().toLowerCase()];
  });
  if (wanted.includes('br')) return 'br';
  return wanted.includes('gzip') ? 'gzip' : undefined;
}

async function compress(bytes: Buffer, encoding: 'br' | 'gzip'): Promise<Buffer<ArrayBuffer>> {
  if (encoding === 'gzip') return Buffer.from(await compressGzip(bytes, { level: 6 }));
  return Buffer.from(await compressBrotli(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }));
}
