const MAX_HEAD_BYTES = 16 * 1024;
const MAX_BODY_BYTES = 64 * 1024;
const FIRST_ROOM_BYTES = 2 * 1024;
const END_OF_HEAD = '\r\n\r\n';
const END_OF_LINE = '\r\n';
/** Of the line with a chunk's size, its extensions included, and of each trailer. */
const MAX_LINE_BYTES = 1024;

/** A whole answer. */
export interface HttpAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly text: string;
}

/** What its head says about the connection afterwards. */
export interface AfterAnswer {
  /** The server lets another request follow on this connection. */
  readonly isKept: boolean;
  /** How long it keeps an idle connection, where it says so. */
  readonly idleSeconds: number | undefined;
}

type Body =
  | { readonly kind: 'counted'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  /** All that comes until the connection ends. */
  | { readonly kind: 'until-end' };

interface Head extends AfterAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: Body;
}

/**
 * Puts one HTTP/1.1 answer together from what comes over a connection, in whatever pieces: its head of at most 16 KiB, and its body
 * of at most 64 KiB, by `Content-Length`, in chunks, or until the connection ends. Interim answers (1xx) are passed over.
 *
 * Strict: what two readers could understand differently is refused. Source: RFC 9112, sections 4 to 7.
 */
export class AnswerReader {
  #room = Buffer.allocUnsafe(FIRST_ROOM_BYTES);
  #filled = 0;
  /** Up to where it is understood. */
  #at = 0;
  #head: Head | undefined;
  /** The content of the chunks so far. */
  readonly #chunks: Buffer[] = [];
  #chunkBytes = 0;
  #isInTrailers = false;

  /**
   * Takes a piece, whose memory may be used again afterwards.
   *
   * @returns the answer, once it is whole
   * @throws {Error} for what is no answer, or one that is too long
   */
  push(piece: Buffer): HttpAnswer | undefined {
    this.#keep(piece);
    while (this.#head === undefined) {
      const head = this.#readHead();
      if (head === undefined) return undefined;
      if (head.status >= 200) this.#head = head;
    }
    const { body } = this.#head;
    if (body.kind === 'chunked') return this.#readChunks() ? this.#answer(Buffer.concat(this.#chunks)) : undefined;
    const bytes = this.#filled - this.#at;
    if (body.kind === 'counted' && bytes >= body.bytes) {
      const from = this.#at;
      this.#at += body.bytes;
      return this.#answer(this.#room.subarray(from, this.#at));
    }
    if (bytes > MAX_BODY_BYTES) throw tooLong();
    return undefined;
  }

  /**
   * The connection ended.
   *
   * @returns the answer, where that is its end
   */
  end(): HttpAnswer | undefined {
    if (this.#head?.body.kind !== 'until-end') return undefined;
    return this.#answer(this.#room.subarray(this.#at, this.#filled));
  }

  /** What the answer left of the connection. */
  get after(): AfterAnswer {
    if (!this.#head) return { isKept: false, idleSeconds: undefined };
    const { isKept, idleSeconds, body } = this.#head;
    // What came behind the answer belongs to none.
    return { isKept: isKept && body.kind !== 'until-end' && this.#at === this.#filled, idleSeconds };
  }

  #answer(body: Buffer): HttpAnswer {
    return { status: this.#head?.status ?? 0, retryAfter: this.#head?.retryAfter, text: body.toString() };
  }

  #keep(piece: Buffer): void {
    const needed = this.#filled + piece.length;
    if (needed > this.#room.length) {
      const wider = Buffer.allocUnsafe(Math.max(needed, this.#room.length * 2));
      this.#room.copy(wider, 0, 0, this.#filled);
      this.#room = wider;
    }
    piece.copy(this.#room, this.#filled);
    this.#filled = needed;
  }

  #readHead(): Head | undefined {
    const got = this.#room.subarray(0, this.#filled);
    const end = got.indexOf(END_OF_HEAD, this.#at, 'latin1');
    if ((end < 0 ? this.#filled : end) - this.#at > MAX_HEAD_BYTES) {
      throw new Error(`The answer's head has more than ${MAX_HEAD_BYTES} bytes`);
    }
    if (end < 0) return undefined;
    const head = headOf(got.toString('latin1', this.#at, end));
    this.#at = end + END_OF_HEAD.length;
    return head;
  }

  /** @returns whether the last chunk and the trailers are there */
  #readChunks(): boolean {
    for (;;) {
      const line = this.#readLine();
      if (line === undefined) return false;
      if (this.#isInTrailers) {
        if (line.text === '') return this.#pass(line.end);
        this.#pass(line.end);
        continue;
      }
      const size = chunkSize(line.text);
      if (size === 0) {
        this.#isInTrailers = this.#pass(line.end);
        continue;
      }
      if (this.#chunkBytes + size > MAX_BODY_BYTES) throw tooLong();
      const to = line.end + size;
      if (to + END_OF_LINE.length > this.#filled) return false;
      if (this.#room.toString('latin1', to, to + END_OF_LINE.length) !== END_OF_LINE)
        throw notHttp('a chunk without an end');
      this.#chunks.push(Buffer.from(this.#room.subarray(line.end, to)));
      this.#chunkBytes += size;
      this.#pass(to + END_OF_LINE.length);
    }
  }

  #pass(to: number): true {
    this.#at = to;
    return true;
  }

  #readLine(): { readonly text: string; readonly end: number } | undefined {
    const got = this.#room.subarray(0, this.#filled);
    const end = got.indexOf(END_OF_LINE, this.#at, 'latin1');
    if ((end < 0 ? this.#filled : end) - this.#at > MAX_LINE_BYTES) throw notHttp('a line of a chunk that is too long');
    return end < 0 ? undefined : { text: got.toString('latin1', this.#at, end), end: end + END_OF_LINE.length };
  }
}

function headOf(text: string): Head {
  const [first = '', ...lines] = text.split(END_OF_LINE);
  const [, minor, digits] = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: |$)/.exec(first) ?? [];
  if (digits === undefined) throw notHttp(first);
  const fields = fieldsOf(lines);
  const connection = (fields.get('connection') ?? '').toLowerCase().split(/[\s,]+/);
  const status = Number(digits);
  return {
    status,
    retryAfter: fields.get('retry-after'),
    body: bodyOf(status, fields),
    isKept: minor === '1' ? !connection.includes('close') : connection.includes('keep-alive'),
    idleSeconds: idleSecondsOf(fields.get('keep-alive')),
  };
}

function fieldsOf(lines: readonly string[]): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of lines) {
    const [, name, value = ''] = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === undefined) throw notHttp(line);
    const key = name.toLowerCase();
    const known = fields.get(key);
    fields.set(key, known === undefined ? value : `${known}, ${value}`);
  }
  return fields;
}

function bodyOf(status: number, fields: ReadonlyMap<string, string>): Body {
  const coding = fields.get('transfer-encoding');
  const length = fields.get('content-length');
  if (status < 200 || status === 204 || status === 304) {
    // After 101 it would be no HTTP any more, and it was not asked for.
    if (status === 101) throw notHttp('101');
    return { kind: 'counted', bytes: 0 };
  }
  if (coding !== undefined) {
    if (length !== undefined || coding.toLowerCase() !== 'chunked') throw notHttp(`Transfer-Encoding: ${coding}`);
    return { kind: 'chunked' };
  }
  if (length === undefined) return { kind: 'until-end' };
  if (!/^\d{1,15}$/.test(length)) throw notHttp(`Content-Length: ${length}`);
  if (Number(length) > MAX_BODY_BYTES) throw tooLong();
  return { kind: 'counted', bytes: Number(length) };
}

function idleSecondsOf(keepAlive: string | undefined): number | undefined {
  const [, seconds] = /(?:^|[\s,])timeout=(\d{1,6})/i.exec(keepAlive ?? '') ?? [];
  return seconds === undefined ? undefined : Number(seconds);
}

function chunkSize(line: string): number {
  const [, digits] = /^([0-9a-f]{1,8})(?:[ \t]*;.*)?$/i.exec(line) ?? [];
  if (digits === undefined) throw notHttp(`a chunk of size ${line.slice(0, 20)}`);
  return Number.parseInt(digits, 16);
}

function tooLong(): Error {
  return new Error(`The answer has more than ${MAX_BODY_BYTES} bytes`);
}

function notHttp(found: string): Error {
  return new Error(`The answer is no HTTP/1.1: ${JSON.stringify(found.slice(0, 100))}`);
}
