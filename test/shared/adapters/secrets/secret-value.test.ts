import assert from 'node:assert/strict';
import { test } from 'node:test';
import { format, inspect } from 'node:util';
import { crc32c } from '../../../../shared/adapters/secrets/crc32c.ts';
import { SecretValue } from '../../../../shared/adapters/secrets/secret-value.ts';
import { makeValue } from './make-value.ts';

test('a secret value shows its name and version and never itself', () => {
  const value = makeValue('s3cret');
  const shown = [
    String(value),
    `${value}`,
    JSON.stringify({ value }),
    inspect({ value }, { showHidden: true, depth: 9 }),
    format('%o %O %j %s', value, value, value, value),
    inspect(Object.assign(new Error('x'), { value })),
    JSON.stringify(structuredClone(value)),
    JSON.stringify({ ...value }),
  ].join('\n');
  assert.doesNotMatch(shown, /s3cret|115, ?51|733363/);
  assert.match(String(value), /^Secret projects\/p\/secrets\/registry version 7$/);
  assert.equal(value.text(), 's3cret');
});

test('a secret value gives copies, and is zeroed in place', () => {
  const bytes = Buffer.from('s3cret');
  const value = new SecretValue('projects/p/secrets/registry', '7', bytes);
  const copy = value.bytes();
  copy.fill(1);
  assert.equal(value.text(), 's3cret');
  value.wipe();
  assert.throws(() => value.text(), { code: 'SECRET_OUTDATED' });
  assert.throws(() => value.bytes(), { code: 'SECRET_OUTDATED' });
  assert.throws(() => value.holds(bytes), { code: 'SECRET_OUTDATED' });
  // They were given to the value: it is their only place.
  assert.deepEqual(bytes, Buffer.alloc(6));
});

test('a secret value that is no UTF-8 is no text, and the error does not quote it', () => {
  const value = makeValue(Buffer.from([0xff, 0x41, 0x42]));
  assert.throws(
    () => value.text(),
    (error: Error) => {
      assert.match(error.message, /version 7 is no UTF-8 text/);
      assert.equal(error.cause, undefined);
      return true;
    },
  );
  assert.deepEqual(value.bytes(), Buffer.from([0xff, 0x41, 0x42]));
});

test('crc32c() gives the checksums of RFC 3720', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
  assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa);
  assert.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43);
  assert.equal(crc32c(Buffer.alloc(0)), 0);
});
