import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type HeldObject, type ObjectStore, openObjectStore } from './object-store.ts';
import { StorageError } from './storage-error.ts';
import { openSessions, readRange, readWish, type Sessions, splitMultipart } from './uploads.ts';

const MAX_BODY_BYTES = 256 * 1024 * 1024;
const MAX_PAGE = 1000;

interface Request {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  /** Named parts of the path, decoded. */
  readonly path: Readonly<Record<string, string>>;
}

interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object | Buffer;
}

interface Cloud {
  readonly store: ObjectStore;
  readonly sessions: Sessions;
  readonly base: () => string;
}

type Handle = (request: Request, cloud: Cloud) => Reply;

const BUCKET = '(?<bucket>[^/]+)';
const OBJECT = `/b/${BUCKET}/o/(?<object>[^/]+)`;
const routes: readonly (readonly [method: string, path: RegExp, handle: Handle])[] = [
  ['POST', /^\/storage\/v1\/b$/, createBucket],
  ['GET', /^\/storage\/v1\/b$/, listBuckets],
  ['GET', new RegExp(`^/storage/v1/b/${BUCKET}$`), showBucket],
  ['DELETE', new RegExp(`^/storage/v1/b/${BUCKET}$`), deleteBucket],
  ['GET', new RegExp(`^/storage/v1/b/${BUCKET}/o$`), listObjects],
  ['GET', new RegExp(`^/(?:download/)?storage/v1${OBJECT}$`), showObject],
  ['DELETE', new RegExp(`^/storage/v1${OBJECT}$`), deleteObject],
  ['POST', new RegExp(`^/upload/storage/v1/b/${BUCKET}/o$`), upload],
  ['PUT', new RegExp(`^/upload/storage/v1/b/${BUCKET}/o$`), resume],
];

/**
 * Starts the laptop's Cloud Storage on 127.0.0.1: buckets and objects by the JSON API, which the official client finds by
 * `STORAGE_EMULATOR_HOST`.
 *
 * @param options.port 0 or left out for a free one
 * @param options.dir where objects are kept; in memory when left out
 * @see https://cloud.google.com/storage/docs/json_api/v1
 */
export async function openStorageServer(
  options: { port?: number; dir?: string; now?: () => number } = {},
): Promise<{ url: string; close(): Promise<void> }> {
  let base = '';
  const cloud: Cloud = {
    store: openObjectStore(options.dir, options.now ?? Date.now),
    sessions: openSessions(),
    base: () => base,
  };
  const server = createServer((incoming, outgoing) => void respond(incoming, outgoing, cloud));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error(`No TCP port: ${address}`);
  base = `http://127.0.0.1:${address.port}`;
  return {
    url: base,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function respond(incoming: IncomingMessage, outgoing: ServerResponse, cloud: Cloud): Promise<void> {
  let reply: Reply;
  try {
    const body = await readBody(incoming);
    reply = answer(incoming, body, cloud);
  } catch (cause) {
    if (outgoing.destroyed) return;
    const known = cause instanceof StorageError ? cause : new StorageError(500, 'backendError', String(cause));
    reply = { status: known.status, body: known.toJSON() };
  }
  const { status, headers = {}, body } = reply;
  const isBytes = body instanceof Buffer;
  const bytes = isBytes ? body : Buffer.from(body === undefined ? '' : JSON.stringify(body));
  const type = isBytes || body === undefined ? {} : { 'content-type': 'application/json; charset=UTF-8' };
  outgoing.writeHead(status, { ...type, 'content-length': bytes.length, ...headers }).end(bytes);
}

function answer({ method = '', url: target = '/', headers }: IncomingMessage, body: Buffer, cloud: Cloud): Reply {
  const url = new URL(target, 'http://storage');
  for (const [wanted, pattern, handle] of routes) {
    const match = method === wanted ? pattern.exec(url.pathname) : null;
    if (match === null) continue;
    const path = Object.fromEntries(Object.entries(match.groups ?? {}).map(([name, text]) => [name, decode(text)]));
    return handle({ method, url, headers, body, path }, cloud);
  }
  throw new StorageError(501, 'notImplemented', `The laptop's Cloud Storage has no ${method} ${url.pathname}`);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new StorageError(400, 'invalid', `${text} is not percent-encoded UTF-8`);
  }
}

async function readBody(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming) {
    const part = Buffer.from(chunk);
    bytes += part.length;
    if (bytes > MAX_BODY_BYTES)
      throw new StorageError(413, 'uploadTooLarge', `At most ${MAX_BODY_BYTES} bytes at once`);
    chunks.push(part);
  }
  return Buffer.concat(chunks);
}

function createBucket({ body }: Request, { store }: Cloud): Reply {
  const { name = '' } = readWish(body);
  store.createBucket(name);
  return { status: 200, body: bucketOf(name) };
}

function listBuckets(_request: Request, { store }: Cloud): Reply {
  return { status: 200, body: { kind: 'storage#buckets', items: [...store.buckets.keys()].sort().map(bucketOf) } };
}

function showBucket({ path }: Request, { store }: Cloud): Reply {
  store.objectsOf(path.bucket ?? '');
  return { status: 200, body: bucketOf(path.bucket ?? '') };
}

function bucketOf(name: string): object {
  return { kind: 'storage#bucket', id: name, name, location: 'LOCAL', storageClass: 'STANDARD' };
}

function deleteBucket({ path }: Request, { store }: Cloud): Reply {
  store.deleteBucket(path.bucket ?? '');
  return { status: 204 };
}

function listObjects({ path, url }: Request, { store }: Cloud): Reply {
  const prefix = url.searchParams.get('prefix') ?? '';
  const delimiter = url.searchParams.get('delimiter') ?? '';
  const after = url.searchParams.get('pageToken') ?? '';
  const most = Math.min(MAX_PAGE, Number(url.searchParams.get('maxResults') ?? MAX_PAGE) || MAX_PAGE);
  const names = [...store.objectsOf(path.bucket ?? '').keys()].filter((name) => name.startsWith(prefix)).sort();
  const items: object[] = [];
  const prefixes = new Set<string>();
  let last = '';
  for (const name of names) {
    const end = delimiter === '' ? -1 : name.indexOf(delimiter, prefix.length);
    const entry = end < 0 ? name : name.slice(0, end + delimiter.length);
    if (entry <= after || prefixes.has(entry)) continue;
    if (items.length + prefixes.size === most) {
      return { status: 200, body: { kind: 'storage#objects', items, prefixes: [...prefixes], nextPageToken: last } };
    }
    last = entry;
    if (end < 0) items.push(store.find(path.bucket ?? '', name).described);
    else prefixes.add(entry);
  }
  return { status: 200, body: { kind: 'storage#objects', items, prefixes: [...prefixes] } };
}

function showObject({ path, url, headers }: Request, { store }: Cloud): Reply {
  const held = store.find(path.bucket ?? '', path.object ?? '');
  if (url.searchParams.get('alt') !== 'media') return { status: 200, body: held.described };
  return mediaOf(held, headers.range);
}

function mediaOf({ described, bytes }: HeldObject, range: string | undefined): Reply {
  const headers = {
    'content-type': described.contentType,
    'x-goog-generation': described.generation,
    'x-goog-hash': `crc32c=${described.crc32c},md5=${described.md5Hash}`,
    'x-goog-stored-content-encoding': 'identity',
    'x-goog-stored-content-length': described.size,
  };
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? [];
  if (first === undefined) return { status: 200, headers, body: bytes };
  const from = Number(first);
  const to = last === undefined || last === '' ? bytes.length - 1 : Math.min(Number(last), bytes.length - 1);
  if (from > to) throw new StorageError(416, 'requestedRangeNotSatisfiable', `The object has ${bytes.length} bytes`);
  const ranged = { ...headers, 'content-range': `bytes ${from}-${to}/${bytes.length}` };
  return { status: 206, headers: ranged, body: bytes.subarray(from, to + 1) };
}

function deleteObject({ path, url }: Request, { store }: Cloud): Reply {
  store.delete(path.bucket ?? '', path.object ?? '', generationIn(url));
  return { status: 204 };
}

function upload({ path, url, headers, body }: Request, { store, sessions, base }: Cloud): Reply {
  const bucket = path.bucket ?? '';
  const named = url.searchParams.get('name');
  const name = named === null ? {} : { name: named };
  const contentType = headers['content-type'];
  const ifGeneration = generationIn(url);
  switch (url.searchParams.get('uploadType')) {
    case 'media':
      return {
        status: 200,
        body: store.put(bucket, { ...name, ...(contentType && { contentType }) }, body, ifGeneration),
      };
    case 'multipart': {
      const { wish, bytes } = splitMultipart(contentType ?? '', body);
      return { status: 200, body: store.put(bucket, { ...wish, ...name }, bytes, ifGeneration) };
    }
    case 'resumable': {
      store.objectsOf(bucket);
      const given = headers['x-upload-content-type'];
      const type = typeof given === 'string' ? { contentType: given } : {};
      const id = sessions.begin({ bucket, wish: { ...type, ...readWish(body), ...name }, ifGeneration });
      const location = `${base()}/upload/storage/v1/b/${encodeURIComponent(bucket)}/o?uploadType=resumable&upload_id=${id}`;
      return { status: 200, headers: { location } };
    }
    default:
      throw new StorageError(400, 'invalid', 'uploadType is media, multipart or resumable');
  }
}

function resume({ url, headers, body }: Request, { store, sessions }: Cloud): Reply {
  const id = url.searchParams.get('upload_id') ?? '';
  const { bucket, wish, ifGeneration, parts } = sessions.find(id);
  const { from, total } = readRange(headers['content-range'], body.length);
  const held = parts.reduce((sum, part) => sum + part.length, 0);
  if (from !== undefined && from <= held && from + body.length > held) parts.push(body.subarray(held - from));
  const bytes = Buffer.concat(parts);
  if (total === undefined || bytes.length < total) {
    return { status: 308, headers: bytes.length === 0 ? {} : { range: `bytes=0-${bytes.length - 1}` } };
  }
  const described = store.put(bucket, wish, bytes, ifGeneration);
  sessions.end(id);
  return { status: 200, body: described };
}

function generationIn(url: URL): bigint | undefined {
  const text = url.searchParams.get('ifGenerationMatch');
  if (text === null) return undefined;
  if (!/^\d+$/.test(text)) throw new StorageError(400, 'invalid', `ifGenerationMatch is ${text}`);
  return BigInt(text);
}
