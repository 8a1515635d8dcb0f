import { randomUUID } from 'node:crypto';
import type { ObjectWish } from './object-store.ts';
import { StorageError } from './storage-error.ts';

/** An upload whose bytes come in requests of their own. */
export interface Session {
  readonly bucket: string;
  readonly wish: ObjectWish;
  readonly ifGeneration: bigint | undefined;
  readonly parts: Buffer[];
}

/** Resumable uploads under way; they do not survive a restart. */
export interface Sessions {
  begin(session: Omit<Session, 'parts'>): string;
  find(id: string): Session;
  end(id: string): void;
}

export function openSessions(): Sessions {
  const sessions = new Map<string, Session>();
  return {
    begin(session) {
      const id = randomUUID();
      sessions.set(id, { ...session, parts: [] });
      return id;
    },
    find(id) {
      const session = sessions.get(id);
      if (session === undefined) throw new StorageError(404, 'notFound', `There is no upload ${id}`);
      return session;
    },
    end: (id) => void sessions.delete(id),
  };
}

/** What a request of a resumable upload carries. */
export interface Range {
  /** Undefined where the request only asks how far the upload is. */
  readonly from: number | undefined;
  /** Bytes in all; undefined while more follow. */
  readonly total: number | undefined;
}

/** Reads `Content-Range`: a range of a known or unknown total, the rest (`bytes 0-*` of `*`), or a question for the state. Without one the request is the whole object. */
export function readRange(header: string | undefined, length: number): Range {
  if (header === undefined) return { from: 0, total: length };
  const [, from, to, total = '*'] = /^bytes (?:(\d+)-(\d+|\*)|\*)\/(\d+|\*)$/.exec(header) ?? [];
  if (!/^bytes /.test(header)) throw new StorageError(400, 'invalid', `Content-Range is ${header}`);
  // Sent in one go by a client that does not know the length.
  if (from !== undefined && to === '*' && total === '*') return { from: Number(from), total: Number(from) + length };
  return { from: from === undefined ? undefined : Number(from), total: total === '*' ? undefined : Number(total) };
}

/** Splits a `multipart/related` body into the object's description and its bytes. Source: RFC 2387. */
export function splitMultipart(type: string, body: Buffer): { wish: ObjectWish; bytes: Buffer } {
  const [, quoted, plain] = /boundary=(?:"([^"]+)"|([^;]+))/.exec(type) ?? [];
  const boundary = (quoted ?? plain ?? '').trim();
  const mark = Buffer.from(`--${boundary}`);
  const parts: Buffer[] = [];
  for (let at = body.indexOf(mark); at >= 0; ) {
    const from = at + mark.length;
    const next = body.indexOf(Buffer.from(`\r\n--${boundary}`), from);
    if (next < 0) break;
    const headEnd = body.indexOf('\r\n\r\n', from);
    parts.push(body.subarray(headEnd + 4, next));
    at = next + 2;
  }
  const [head, bytes] = parts;
  if (boundary === '' || head === undefined || bytes === undefined) {
    throw new StorageError(400, 'parseError', 'A multipart upload has two parts: the description and the bytes');
  }
  return { wish: readWish(head), bytes };
}

export function readWish(body: Buffer): ObjectWish {
  try {
    return body.length === 0 ? {} : JSON.parse(body.toString());
  } catch {
    throw new StorageError(400, 'parseError', 'The description is no JSON');
  }
}
