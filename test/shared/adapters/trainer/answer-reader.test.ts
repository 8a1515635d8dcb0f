import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AnswerReader, type HttpAnswer } from '../../../../shared/adapters/trainer/answer-reader.ts';

/** What a reader makes of pieces that all lie in the same memory, as a socket's do. */
function readPieces(pieces: readonly Buffer[]): { reader: AnswerReader; answers: HttpAnswer[] } {
  const reader = new AnswerReader();
  const answers: HttpAnswer[] = [];
  const shared = Buffer.alloc(Math.max(1, ...pieces.map(({ length }) => length)));
  for (const piece of pieces) {
    piece.copy(shared);
    const answer = reader.push(shared.subarray(0, piece.length));
    if (answer) answers.push(answer);
  }
  return { reader, answers };
}

const read = (text: string) => readPieces([Buffer.from(text)]);

const cut = (bytes: Buffer, places: readonly number[]): Buffer[] => {
  const cuts = [...new Set([0, ...places.map((place) => place % (bytes.length + 1)), bytes.length])];
  cuts.sort((left, right) => left - right);
  return cuts.slice(1).map((to, at) => bytes.subarray(cuts[at], to));
};

const framings = {
  counted: (body: Buffer) => ({ field: `Content-Length:  ${body.length} `, bytes: body }),
  chunked: (body: Buffer) => {
    const half = body.length >> 1;
    const chunks = [body.subarray(0, half), body.subarray(half)].filter(({ length }) => length > 0);
    const framed = chunks.flatMap((chunk) => [`${chunk.length.toString(16)};x=y\r\n`, chunk, '\r\n']);
    const bytes = Buffer.concat([...framed, '0\r\nTrailer: t\r\n\r\n'].map((part) => Buffer.from(part)));
    return { field: 'transfer-encoding: Chunked', bytes };
  },
};

test('AnswerReader finds the same answer however its bytes are cut, and whichever way its body is framed', () => {
  const cases = fc.record({
    status: fc.integer({ min: 200, max: 599 }).filter((status) => status !== 204 && status !== 304),
    text: fc.string({ unit: 'grapheme', maxLength: 300 }),
    framing: fc.constantFrom<keyof typeof framings>('counted', 'chunked'),
    interim: fc.boolean(),
    places: fc.array(fc.nat(2_000), { maxLength: 12 }),
  });
  fc.assert(
    fc.property(cases, ({ status, text, framing, interim, places }) => {
      const { field, bytes } = framings[framing](Buffer.from(text));
      const hint = interim ? 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n' : '';
      const head = `${hint}HTTP/1.1 ${status} Whatever\r\nRetry-After: 7\r\n${field}\r\n\r\n`;
      const { reader, answers } = readPieces(cut(Buffer.concat([Buffer.from(head), bytes]), places));
      assert.deepEqual(answers, [{ status, retryAfter: '7', text }]);
      assert.equal(reader.after.isKept, true);
    }),
  );
});

test('AnswerReader takes what comes until the end of the connection for the body when nothing bounds it', () => {
  const { reader, answers } = read('HTTP/1.0 200 OK\r\n\r\nab');
  assert.deepEqual(answers, []);
  assert.equal(reader.push(Buffer.from('c')), undefined);
  assert.deepEqual(reader.end(), { status: 200, retryAfter: undefined, text: 'abc' });
  assert.equal(reader.after.isKept, false);
  assert.equal(read('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab').reader.end(), undefined);
});

test('AnswerReader knows 204 and 304 to have no body, and what becomes of the connection', () => {
  for (const status of [204, 304]) {
    const { reader, answers } = read(`HTTP/1.1 ${status} \r\nKeep-Alive: max=9, timeout=5\r\n\r\n`);
    assert.deepEqual(answers, [{ status, retryAfter: undefined, text: '' }]);
    assert.deepEqual(reader.after, { isKept: true, idleSeconds: 5 });
  }
  const closing = read('HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n');
  assert.equal(closing.reader.after.isKept, false);
  const old = read('HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n');
  assert.equal(old.reader.after.isKept, false);
  const more = read('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK');
  assert.equal(more.answers.length, 1);
  assert.equal(more.reader.after.isKept, false);
});

test('AnswerReader refuses what is no answer, or could be understood in two ways', () => {
  const ok = 'HTTP/1.1 200 OK\r\n';
  const refused: readonly (readonly [string, RegExp])[] = [
    ['HTTP/2 200\r\n\r\n', /no HTTP\/1\.1/],
    ['<html>\r\n\r\n', /no HTTP\/1\.1/],
    ['HTTP/1.1 101 Switching\r\n\r\n', /101/],
    [`${ok}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`, /Content-Length/],
    [`${ok}Content-Length: -1\r\n\r\n`, /Content-Length/],
    [`${ok}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, /Transfer-Encoding/],
    [`${ok}Transfer-Encoding: gzip, chunked\r\n\r\n`, /Transfer-Encoding/],
    [`${ok}Content-Length : 1\r\n\r\n`, /no HTTP\/1\.1/],
    [`${ok}X: a\r\n folded\r\n\r\n`, /no HTTP\/1\.1/],
    [`${ok}Transfer-Encoding: chunked\r\n\r\n1 2\r\na\r\n`, /a chunk of size/],
    [`${ok}Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n`, /without an end/],
    [`${ok}X: ${'a'.repeat(17 * 1024)}`, /more than 16384 bytes/],
    [`${ok}Content-Length: 65537\r\n\r\n`, /more than 65536 bytes/],
    [`${ok}Transfer-Encoding: chunked\r\n\r\n10001\r\n`, /more than 65536 bytes/],
    [`${ok}Transfer-Encoding: chunked\r\n\r\n1;${'a'.repeat(2 * 1024)}`, /too long/],
    [`${ok}\r\n${'a'.repeat(65_537)}`, /more than 65536 bytes/],
  ];
  for (const [text, message] of refused) assert.throws(() => read(text), message);
});
