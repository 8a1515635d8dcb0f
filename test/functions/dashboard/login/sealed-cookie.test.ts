import assert from 'node:assert/strict';
import crypto, { randomBytes } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { test } from 'node:test';
import fc from 'fast-check';
import { cookieSeal, isSame } from '../../../../functions/dashboard/login/sealed-cookie.ts';
import { readCookie } from '../../../../functions/dashboard/login/sessions.ts';

const seal = cookieSeal(randomBytes(32));
const values = fc.dictionary(fc.string({ maxLength: 9 }), fc.string({ maxLength: 99 }), {
  maxKeys: 5,
  noNullPrototype: true,
});

test('cookieSeal() opens what it sealed until its time, for its purpose alone', () => {
  fc.assert(
    fc.property(values, fc.nat(), (value, expiresAtMs) => {
      const sealed = seal.seal('session', value, expiresAtMs);
      assert.match(sealed, /^[\w.-]+$/);
      assert.deepEqual(seal.open('session', sealed, expiresAtMs - 1), value);
      assert.equal(seal.open('session', sealed, expiresAtMs), undefined);
      assert.equal(seal.open('login', sealed, expiresAtMs - 1), undefined);
      assert.equal(cookieSeal(randomBytes(32)).open('session', sealed, expiresAtMs - 1), undefined);
    }),
  );
});

test('cookieSeal() opens nothing in which one character was changed, and nothing that others wrote', () => {
  const sealed = seal.seal('session', { name: 'eve@example.com' }, 1_000);
  fc.assert(
    fc.property(fc.nat(sealed.length - 1), fc.constantFrom(...'Aa0_-.'), (at, character) => {
      const changed = `${sealed.slice(0, at)}${character}${sealed.slice(at + 1)}`;
      fc.pre(changed !== sealed);
      assert.equal(seal.open('session', changed, 0), undefined);
    }),
  );
  fc.assert(fc.property(fc.string(), (text) => assert.equal(seal.open('session', text, 0), undefined)));
  assert.equal(seal.open('session', undefined, 0), undefined);
});

test('cookieSeal() refuses a short key, and what no browser would keep', () => {
  assert.throws(() => cookieSeal(randomBytes(31)), /31 bytes/);
  assert.throws(
    () => seal.seal('session', { groups: Array.from({ length: 200 }, () => 'x'.repeat(36)) }, 1),
    RangeError,
  );
});

test('isSame() compares texts of one length by timingSafeEqual(), and says no other than ===', (context) => {
  const { mock } = context.mock.method(crypto, 'timingSafeEqual');
  syncBuiltinESMExports();
  context.after(syncBuiltinESMExports);
  fc.assert(fc.property(fc.string(), fc.string(), (a, b) => assert.equal(isSame(a, b), a === b)));
  mock.resetCalls();
  const signature = 'x'.repeat(43);
  for (const other of [signature, `y${signature.slice(1)}`, `${signature.slice(1)}y`]) isSame(signature, other);
  assert.equal(mock.callCount(), 3);
});

test('readCookie() finds the cookie by its whole name, and none where it comes twice', () => {
  assert.equal(readCookie('a=1; penstock-session=x.y; b=2', 'penstock-session'), 'x.y');
  assert.equal(readCookie('xpenstock-session=1; penstock-session2=2', 'penstock-session'), undefined);
  assert.equal(readCookie('penstock-session=mine; penstock-session=theirs', 'penstock-session'), undefined);
  assert.equal(readCookie(undefined, 'penstock-session'), undefined);
});
