import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { test } from 'node:test';
import fc from 'fast-check';
import { fieldTree } from '../../../../../shared/model/events/straight/field-tree.ts';
import { JsonScanner } from '../../../../../shared/model/events/straight/json-scanner.ts';
import { MISSING, OTHER, STRING } from '../../../../../shared/model/events/straight/value-kind.ts';

/** What the scanner says of bytes: undefined where it leaves them, else the text of each path's value. */
function scan(scanner: JsonScanner, bytes: Buffer): (string | undefined)[] | undefined {
  if (!scanner.scan(bytes)) return undefined;
  return [...scanner.kinds].map((kind, slot) => {
    const text = bytes.toString('utf8', scanner.froms[slot], scanner.tos[slot]);
    return kind === MISSING ? undefined : kind === STRING ? `"${text}"` : text;
  });
}

function parse(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) return undefined;
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

const SIGNS = Buffer.from('{}[]":,\\-+.eE0123456789truefalsenul \t\r\n/bfnu\u0000\u001f\u007fäß€😀\xc0\xff');
const edit = fc.record({
  at: fc.nat(),
  byte: fc.oneof(fc.nat(255), fc.constantFrom(...SIGNS)),
  isInserted: fc.boolean(),
});
const value = fc.oneof(
  fc.json(),
  fc.json().map((text) => JSON.stringify(JSON.parse(text), null, 1)),
  fc.string({ unit: fc.constantFrom('-', '0', '1', '9', '.', 'e', 'E', '+') }),
  fc.string({ unit: fc.constantFrom('\\', '"', 'u', 'n', '0', 'd', 'D', 'g', 'x', '/') }).map((text) => `"${text}"`),
  fc.constantFrom('true', 'false', 'null', 'nulL', 'tru', '[]', '[1,]', '{"a":1,}', '{,}', '[ ]', '{ }', '\ufeff1'),
);

function edited(text: string, edits: readonly { at: number; byte: number; isInserted: boolean }[]): Buffer {
  let bytes = Buffer.from(text);
  for (const { at, byte, isInserted } of edits) {
    const place = at % (bytes.length + 1);
    bytes = Buffer.concat([
      bytes.subarray(0, place),
      Buffer.from([byte]),
      bytes.subarray(place + (isInserted ? 0 : 1)),
    ]);
  }
  return bytes;
}

test('JsonScanner takes exactly what JSON.parse takes', () => {
  const scanner = new JsonScanner(fieldTree(['x']));
  let taken = 0;
  fc.assert(
    fc.property(value, fc.array(edit, { maxLength: 2 }), (text, edits) => {
      const bytes = edited(`{"x":${text}}`, edits);
      const parsed = parse(bytes);
      const found = scan(scanner, bytes);
      const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
      if (found) {
        assert.ok(isObject, 'taken, but no JSON object');
        assert.deepEqual(found[0] === undefined ? undefined : JSON.parse(found[0]), Reflect.get(parsed, 'x'));
        taken++;
      } else assert.ok(!isObject || Object.keys(parsed).join() !== 'x' || bytes.includes('\\'), 'left, though plain');
    }),
    { numRuns: 20_000 },
  );
  assert.ok(taken > 4_000, `${taken} were taken`);
});

test('JsonScanner takes escapes in strings as strictly as JSON.parse', () => {
  const scanner = new JsonScanner(fieldTree(['x']));
  for (const sign of ['"', '\\', '/', 'b', 'f', 'n', 'r', 't', 'u0041', 'ud83d\\ude00', 'ud800', 'uABcd']) {
    assert.deepEqual(scan(scanner, Buffer.from(`{"x":"a\\${sign}"}`)), [`"a\\${sign}"`]);
    assert.deepEqual([...scanner.kinds], [OTHER]);
  }
  for (const sign of ['a', 'U0041', 'u004', 'u00g0', 'x41', '0', '\n', "'", '']) {
    assert.equal(scan(scanner, Buffer.from(`{"x":"a\\${sign}"}`)), undefined, sign);
  }
});

test('JsonScanner finds members in any order, nested, and beside what no column needs', () => {
  const scanner = new JsonScanner(fieldTree(['a', 'b.c', 'b', 'b.d.e', 'ä', '__proto__']));
  const names = ['a', 'b', 'ä', '__proto__', 'unknown', 'ab', ''];
  const inner = fc.shuffledSubarray(['c', 'd', 'x']).map((chosen) => `{${chosen.map((name) => `"${name}":{"e":1}`)}}`);
  const text = fc
    .shuffledSubarray(names)
    .chain((chosen) =>
      fc
        .tuple(...chosen.map((name) => inner.map((json) => `"${name}" : ${json}`)))
        .map((parts) => `{${parts.join(', ')}}`),
    );
  fc.assert(
    fc.property(text, (json) => {
      const found = scan(scanner, Buffer.from(json));
      const whole = JSON.parse(json);
      const own = (value: unknown, name: string): unknown =>
        typeof value === 'object' && value !== null && Object.hasOwn(value, name)
          ? Reflect.get(value, name)
          : undefined;
      const b = own(whole, 'b');
      // Slots are given out as the paths come: a, b, b.c, b.d, b.d.e, ä, __proto__.
      const wanted = [
        own(whole, 'a'),
        b,
        own(b, 'c'),
        own(b, 'd'),
        own(own(b, 'd'), 'e'),
        own(whole, 'ä'),
        own(whole, '__proto__'),
      ];
      assert.deepEqual(
        found?.map((one) => (one === undefined ? undefined : JSON.parse(one))),
        wanted,
      );
    }),
    { numRuns: 2_000 },
  );
});

test('JsonScanner leaves a member that comes twice, and one whose name is written with escapes', () => {
  const scanner = new JsonScanner(fieldTree(['a', 'b.c']));
  for (const json of [
    '{"a":1,"a":1}',
    '{"b":{"c":1},"b":{}}',
    '{"b":{"c":1,"c":2}}',
    '{"\\u0061":1}',
    '{"b":{"\\u0063":1}}',
  ]) {
    assert.equal(scan(scanner, Buffer.from(json)), undefined, json);
  }
  assert.deepEqual(scan(scanner, Buffer.from('{"z":{"\\u0061":1},"z":2,"a":3}')), ['3', undefined, undefined]);
});

test('JsonScanner remembers no spelling that it did not check', () => {
  const scanner = new JsonScanner(fieldTree(['a']));
  const bad = Buffer.from('{"\xff":1,"a":2}', 'latin1');
  for (let time = 0; time < 3; time++) assert.equal(scan(scanner, bad), undefined);
  const long = `{"${'n'.repeat(5_000)}":1,"a":2}`;
  for (let time = 0; time < 3; time++) assert.deepEqual(scan(scanner, Buffer.from(long)), ['2']);
  // The member of the last record in this place, cut off where its value should begin.
  assert.equal(scan(scanner, Buffer.from('{"a":')), undefined);
});

test('JsonScanner looks at hostile objects in time that grows with their length', () => {
  const scanner = new JsonScanner(fieldTree(['a', 'b']));
  const members = Array.from({ length: 100_000 }, (_, at) => `"n${at}":${at}`).join();
  const object = Buffer.from(`{${members},"b":1}`);
  const deep = Buffer.from(`{"a":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`);
  const unclosed = Buffer.from(`{"a":${'{"a":'.repeat(200_000)}`);
  const from = process.cpuUsage();
  for (let time = 0; time < 5; time++) {
    assert.deepEqual(scan(scanner, object), [undefined, '1']);
    assert.equal(scan(scanner, deep), undefined);
    assert.equal(scan(scanner, unclosed), undefined);
    assert.equal(scan(scanner, Buffer.from(`{"a":"${'\\'.repeat(999_999)}`)), undefined);
    assert.equal(scan(scanner, Buffer.from(`{"a":${'9'.repeat(1_000_000)}x}`)), undefined);
  }
  assert.ok(process.cpuUsage(from).user < 3_000_000);
  assert.equal(scanner.scan(Buffer.from('{"a":{}}')) && scanner.kinds[0], OTHER);
});
