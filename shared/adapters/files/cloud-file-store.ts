import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { PenstockError } from '../../base/errors.ts';
import { type FileStore, FilesDifferError, type StoredFile } from './file-store.ts';

const REQUEST_TIMEOUT_MS = 60_000;
const MAX_TRIES = 6;
const FIRST_PAUSE_MS = 200;
const PAGE_FILES = 1000;
const SHA256_KEY = 'penstock-sha256';

/** A folder of a bucket, and who writes there. */
export interface CloudFolder {
  readonly bucket: string;
  /** Without a slash at its end; empty for the whole bucket. */
  readonly prefix: string;
  /** @param fresh the token in hand was refused */
  readonly access: (fresh: boolean) => Promise<{ readonly value: string }>;
  /** `STORAGE_EMULATOR_HOST` is asked instead of Google, without a token. */
  readonly env: NodeJS.ProcessEnv;
  /** Ends waiting between tries. */
  readonly signal: AbortSignal;
}

/**
 * Keeps files in Cloud Storage, by its JSON API. A file is uploaded with `ifGenerationMatch=0`: of two who write it one does, and
 * the other compares its SHA-256, which is kept in the object's metadata. Storage compares the MD5 that is sent along.
 *
 * @throws {PenstockError} from each call: `STORAGE_UNAVAILABLE` after six tries, `STORAGE_REFUSED` for any other refusal
 * @see https://cloud.google.com/storage/docs/json_api/v1/objects/insert
 */
export function cloudFileStore(folder: CloudFolder): FileStore {
  const { bucket, prefix, env } = folder;
  const base = baseUrl(env.STORAGE_EMULATOR_HOST);
  const nameOf = (name: string): string => (prefix === '' ? name : `${prefix}/${name}`);
  const objectUrl = (name: string): string =>
    `${base}/storage/v1/b/${encodeURIComponent(bucket)}/o/${encodeURIComponent(nameOf(name))}`;
  const ask = (url: string, init: Asked = {}): Promise<Response> => askAgain(url, init, folder);
  const find = async (name: string): Promise<StoredObject | undefined> => {
    const answer = await ask(`${objectUrl(name)}?fields=name,size,metadata`);
    return answer.status === 404 ? undefined : await objectOf(answer);
  };
  return {
    urlOf: (name) => `gs://${bucket}/${nameOf(name)}`,
    async create(name, bytes) {
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const url = `${base}/upload/storage/v1/b/${encodeURIComponent(bucket)}/o?uploadType=multipart&ifGenerationMatch=0&fields=name`;
      const answer = await ask(url, multipart(nameOf(name), bytes, sha256));
      if (answer.status === 404) throw noBucket(bucket);
      if (answer.status !== 412) return 'created';
      const there = await find(name);
      const theirs = there?.metadata?.[SHA256_KEY] ?? 'unknown';
      if (theirs === sha256) return 'same';
      throw new FilesDifferError(`gs://${bucket}/${nameOf(name)}`, sha256, theirs);
    },
    async read(name) {
      const answer = await ask(`${objectUrl(name)}?alt=media`);
      return answer.status === 404 ? undefined : Buffer.from(await answer.arrayBuffer());
    },
    async list(wanted) {
      const found: StoredFile[] = [];
      const query = new URLSearchParams({ prefix: nameOf(wanted), maxResults: String(PAGE_FILES) });
      query.set('fields', 'items(name,size,metadata),nextPageToken');
      for (;;) {
        const answer = await ask(`${base}/storage/v1/b/${encodeURIComponent(bucket)}/o?${query}`);
        if (answer.status === 404) throw noBucket(bucket);
        const { items = [], nextPageToken } = await pageOf(answer);
        found.push(...items.map((item) => fileOf(item, prefix)));
        if (nextPageToken === undefined) return found;
        query.set('pageToken', nextPageToken);
      }
    },
  };
}

interface StoredObject {
  readonly name: string;
  /** A decimal text. */
  readonly size: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer>;
}

function baseUrl(emulator: string | undefined): string {
  if (emulator === undefined || emulator === '') return 'https://storage.googleapis.com';
  const withScheme = /^https?:\/\//.test(emulator) ? emulator : `http://${emulator}`;
  return withScheme.replace(/\/+$/, '');
}

function fileOf({ name, size, metadata }: StoredObject, prefix: string): StoredFile {
  const own = prefix === '' ? name : name.slice(prefix.length + 1);
  return { name: own, bytes: Number(size), sha256: metadata?.[SHA256_KEY] ?? 'unknown' };
}

/** The object's description and its bytes in one body. Source: RFC 2387. */
function multipart(name: string, bytes: Uint8Array, sha256: string): Asked {
  const boundary = randomUUID();
  const contentType = 'application/octet-stream';
  const md5Hash = createHash('md5').update(bytes).digest('base64');
  const described = JSON.stringify({ name, contentType, md5Hash, metadata: { [SHA256_KEY]: sha256 } });
  const head =
    `--${boundary}\r\ncontent-type: application/json; charset=utf-8\r\n\r\n${described}\r\n` +
    `--${boundary}\r\ncontent-type: ${contentType}\r\n\r\n`;
  const body = Buffer.concat([Buffer.from(head), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)]);
  return { method: 'POST', headers: { 'content-type': `multipart/related; boundary=${boundary}` }, body };
}

/** @returns any answer below 400, and 404 and 412, which mean something to whoever asked */
async function askAgain(url: string, init: Asked, folder: CloudFolder): Promise<Response> {
  let isFresh = false;
  let last: unknown;
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    if (tries > 0 && !isFresh) await pause(tries, folder.signal);
    const answer = await askOnce(url, init, folder, isFresh).catch((error: unknown) => {
      if (error instanceof PenstockError) throw error;
      last = error;
      return undefined;
    });
    if (answer === undefined) continue;
    if (answer.status < 400 || answer.status === 404 || answer.status === 412) return answer;
    const detail = (await answer.text()).slice(0, 500);
    if (answer.status === 401 && !isFresh) {
      isFresh = true;
      continue;
    }
    isFresh = false;
    if (answer.status < 500 && answer.status !== 429 && answer.status !== 408)
      throw refused(url, answer.status, detail);
    last = new Error(`${answer.status}: ${detail}`);
  }
  throw new PenstockError(`Cloud Storage does not answer for ${folder.bucket}`, {
    code: 'STORAGE_UNAVAILABLE',
    remedy: 'Nothing to do: the shard goes on by itself',
    retryable: true,
    cause: last,
  });
}

async function askOnce(url: string, init: Asked, { access, env }: CloudFolder, fresh: boolean): Promise<Response> {
  const isReal = (env.STORAGE_EMULATOR_HOST ?? '') === '';
  const token = isReal ? { authorization: `Bearer ${await tokenOf(access, fresh)}` } : {};
  const headers = { ...init.headers, ...token };
  const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
  return await fetch(url, { method: init.method ?? 'GET', headers, body: init.body ?? null, signal });
}

async function tokenOf(access: CloudFolder['access'], fresh: boolean): Promise<string> {
  try {
    return (await access(fresh)).value;
  } catch (cause) {
    throw new PenstockError('No access token could be had for Cloud Storage', {
      code: 'NO_TOKEN',
      remedy: 'Run under a service account, or set GOOGLE_APPLICATION_CREDENTIALS or GCE_METADATA_HOST',
      retryable: true,
      cause,
    });
  }
}

async function pause(tries: number, signal: AbortSignal): Promise<void> {
  await sleep(FIRST_PAUSE_MS * 2 ** tries * (0.5 + Math.random()), undefined, { signal });
}

function refused(url: string, status: number, detail: string): PenstockError {
  return new PenstockError(`Cloud Storage answered ${status} to ${url.replace(/\?.*$/, '')}: ${detail}`, {
    code: 'STORAGE_REFUSED',
    remedy: 'Give read-shard’s account roles/storage.objectUser on the bucket',
    // Grants may come later.
    retryable: status === 401 || status === 403,
  });
}

function noBucket(bucket: string): PenstockError {
  return new PenstockError(`There is no bucket ${bucket}`, {
    code: 'STORAGE_REFUSED',
    remedy: `Make it: gcloud storage buckets create gs://${bucket}`,
    retryable: false,
  });
}

/** What these answers hold is what was asked for with `fields`. */
async function objectOf(answer: Response): Promise<StoredObject> {
  return (await answer.json()) as StoredObject;
}

async function pageOf(answer: Response): Promise<{ items?: StoredObject[]; nextPageToken?: string }> {
  return (await answer.json()) as { items?: StoredObject[]; nextPageToken?: string };
}
