import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../../../../../shared/adapters/spanner/reader/reader-error.ts';
import { timestampReader } from '../../../../../shared/adapters/spanner/reader/scalars.ts';

const FORM = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z$/;

/** The same by Node's calendar; undefined for what is no TIMESTAMP. */
function plainly(text: string): { seconds: number; nanos: number } | undefined {
  const [, year, month, day, hour, minute, second, fraction = ''] = FORM.exec(text) ?? [];
  if (year === undefined || year === '0000') return undefined;
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`);
  const isReal =
    Number.isFinite(ms) && new Date(ms).toISOString() === `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  return isReal ? { seconds: ms / 1000, nanos: Number(fraction.padEnd(9, '0')) } : undefined;
}

/** Between other bytes, as in a message. */
function readBetween(read: ReturnType<typeof timestampReader>, text: Buffer) {
  const around = Buffer.concat([Buffer.from('9'), text, Buffer.from('9')]);
  const into = { seconds: new Float64Array(1), nanos: new Int32Array(1) };
  try {
    read(new DataView(around.buffer, around.byteOffset, around.length), 1, 1 + text.length, into, 0);
  } catch (error) {
    assert.ok(error instanceof DecodeError);
    return undefined;
  }
  return { seconds: into.seconds[0], nanos: into.nanos[0] };
}

const two = (most: number) => fc.integer({ min: 0, max: most }).map((number) => String(number).padStart(2, '0'));
const fraction = fc.option(fc.stringMatching(/^\.\d{1,9}$/), { nil: '' });
const timestamp = fc
  .tuple(fc.integer({ min: 0, max: 9_999 }), two(14), two(33), two(25), two(61), two(61), fraction)
  .map(([year, month, day, hour, minute, second, part]) => {
    return `${String(year).padStart(4, '0')}-${month}-${day}T${hour}:${minute}:${second}${part}Z`;
  });

test('timestampReader() reads every instant that there is, and no day or time that is none', () => {
  const read = timestampReader();
  fc.assert(
    fc.property(timestamp, (text) => assert.deepEqual(readBetween(read, Buffer.from(text)), plainly(text))),
    { numRuns: 20_000 },
  );
});

test('timestampReader() refuses a text with any other byte at any place, and one that is too short or too long', () => {
  const read = timestampReader();
  const real = timestamp.filter((text) => plainly(text) !== undefined);
  fc.assert(
    fc.property(real, fc.nat(), fc.integer({ min: 0, max: 255 }), (text, place, byte) => {
      const bytes = Buffer.from(text);
      bytes[place % bytes.length] = byte;
      assert.deepEqual(readBetween(read, bytes), plainly(bytes.toString('latin1')));
    }),
    { numRuns: 20_000 },
  );
  for (const text of ['', '2001-01-01T00:00:0Z', '2001-01-01T00:00:00.Z', '2001-01-01T00:00:00.1234567890Z']) {
    assert.equal(readBetween(read, Buffer.from(text)), undefined);
  }
});
