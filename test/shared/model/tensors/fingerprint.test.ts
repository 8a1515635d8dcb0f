import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { openSpannerServer } from '../../../../deploy/local/spanner/server.ts';
import { fingerprint, fingerprintModulo, fingerprintModuloAt } from '../../../../shared/model/tensors/fingerprint.ts';
import { fingerprintModulos } from '../../../../shared/model/tensors/fingerprint-all.ts';
import { openTestDatabase } from '../../adapters/spanner/test-database.ts';

function signed(text: string): bigint {
  const { hi, lo } = fingerprint(Buffer.from(text));
  return BigInt.asIntN(64, (BigInt(hi) << 32n) | BigInt(lo));
}

test('fingerprint() gives the values of the GoogleSQL manual for FARM_FINGERPRINT', () => {
  assert.equal(signed('1footrue'), -1541654101129638711n);
  assert.equal(signed('2applefalse'), 2794438866806483259n);
  assert.equal(signed('3true'), -4880158226897771312n);
});

test('fingerprint() and fingerprintModulo() agree with ZetaSQL for texts of every length up to 200', async (context) => {
  const server = await openSpannerServer();
  context.after(() => server.close());
  const opened = await openTestDatabase(server.address, ['CREATE TABLE T (Id INT64) PRIMARY KEY (Id)']);
  context.after(() => opened.close());
  const texts = Array.from({ length: 201 }, (_, length) =>
    Array.from({ length }, (_, at) => String.fromCodePoint(33 + ((at * 7 + length * 13) % 94))).join(''),
  ).concat(['é', '漢字かな', '\u{1F600}\u{1F680}'.repeat(9)]);
  const [rows] = await opened.database.run({
    sql: `SELECT t AS text, CAST(FARM_FINGERPRINT(t) AS STRING) AS print,
            CAST(ABS(MOD(FARM_FINGERPRINT(t), 10000)) AS STRING) AS part FROM UNNEST(@texts) AS t`,
    params: { texts },
    types: { texts: { type: 'array', child: 'string' } },
    json: true,
  });
  assert.equal(rows.length, texts.length);
  for (const { text, print, part } of rows as unknown as { text: string; print: string; part: string }[]) {
    assert.equal(String(signed(text)), print, text);
    assert.equal(String(fingerprintModulo(fingerprint(Buffer.from(text)), 10_000)), part, text);
  }
});

test('fingerprintModuloAt() agrees with fingerprintModulo(), wherever the text lies', () => {
  const divisor = fc.oneof(fc.constant(10_000), fc.integer({ min: 1, max: 2 ** 20 }));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(9), divisor, (bytes, from, by) => {
      const longer = Buffer.concat([Buffer.alloc(from, 7), bytes, Buffer.alloc(3, 9)]);
      const wanted = fingerprintModulo(fingerprint(bytes), by);
      assert.equal(fingerprintModuloAt(longer, from, from + bytes.length, by), wanted);
    }),
    { numRuns: 2000 },
  );
});

test('fingerprintModulos() gives of many texts of any length what fingerprint() gives of each', () => {
  const texts = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 60 });
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 2 ** 20 }), fc.nat(5), (all, divisor, before) => {
      const offsets = new Int32Array(all.length + 1).fill(before);
      for (const [at, { length }] of all.entries()) offsets[at + 1] = (offsets[at] ?? 0) + length;
      const bytes = Buffer.concat([Buffer.alloc(before, 'x'), ...all]);
      const wanted = all.map((text) => fingerprintModulo(fingerprint(text), divisor));
      assert.deepEqual([...fingerprintModulos({ bytes, offsets }, all.length, divisor)], wanted);
    }),
    { numRuns: 500 },
  );
});

test('fingerprintModulos() takes as many texts as there are', () => {
  const text = Buffer.from('000-00000000');
  const wanted = fingerprintModulo(fingerprint(text), 10_000);
  // Within the memory that it starts with, past it, and past what it takes at all.
  for (const count of [100, 20_000, 500_000]) {
    const offsets = Int32Array.from({ length: count + 1 }, (_, at) => at * text.length);
    const parts = fingerprintModulos({ bytes: Buffer.alloc(count * text.length, text), offsets }, count, 10_000);
    assert.equal(parts.length, count);
    assert.ok(
      parts.every((part) => part === wanted),
      `of ${count}`,
    );
  }
});
