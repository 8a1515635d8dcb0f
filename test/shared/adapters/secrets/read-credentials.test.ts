import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { inspect } from 'node:util';
import {
  readBasicAuthorization,
  readBearerAuthorization,
  readKeyAndCertificate,
  readUserAndPassword,
} from '../../../../shared/adapters/secrets/read-credentials.ts';
import { SecretError } from '../../../../shared/adapters/secrets/secret-error.ts';
import type { SecretValue } from '../../../../shared/adapters/secrets/secret-value.ts';
import { makeAuthority } from '../../../deploy/local/kafka/certificates.ts';
import { makeValue } from './make-value.ts';

const authority = makeAuthority();
const pair = authority.forClient({ CN: 'sink' });

/** Nothing of an error may hold a part of the value, its causes and stack included. */
function refuses(read: (value: SecretValue) => unknown, content: string | Buffer | object, message: RegExp): void {
  assert.throws(
    () => read(makeValue(content)),
    (error) => {
      assert.ok(error instanceof SecretError, String(error));
      assert.equal(error.code, 'SECRET_MALFORMED');
      assert.match(error.message, message);
      assert.match(error.message, /^Secret projects\/p\/secrets\/registry version 7 /);
      assert.doesNotMatch(inspect(error, { depth: 9, showHidden: true }), /s3cr|BEGIN|MI[GH]/);
      return true;
    },
  );
}

suite('credentials in a secret', () => {
  test('are a user and a password, for SASL and for HTTP basic', () => {
    const value = makeValue({ username: 'sink', password: 'pä:s3cret', other: 1 });
    const user = readUserAndPassword(value);
    assert.deepEqual([user.username, user.password], ['sink', 'pä:s3cret']);
    assert.equal(readBasicAuthorization(value).header, `Basic ${Buffer.from('sink:pä:s3cret').toString('base64')}`);
  });

  test('are a bearer token', () => {
    assert.equal(readBearerAuthorization(makeValue({ token: 'ab.c-d_~+/==' })).header, 'Bearer ab.c-d_~+/==');
  });

  test('are a key, its certificate and an authority', () => {
    const { key, cert, ca } = readKeyAndCertificate(makeValue({ ...pair, ca: authority.ca }));
    assert.deepEqual({ key, cert, ca }, { ...pair, ca: authority.ca });
    assert.equal(readKeyAndCertificate(makeValue({ ...pair })).ca, undefined);
  });

  test('show in no log and no JSON', () => {
    const user = makeValue({ username: 'sink', password: 's3cret', token: 's3cret' });
    const all = [
      readUserAndPassword(user),
      readBasicAuthorization(user),
      readBearerAuthorization(user),
      readKeyAndCertificate(makeValue({ ...pair })),
    ];
    const shown = [
      inspect(all, { showHidden: true, depth: 9 }),
      JSON.stringify(all),
      JSON.stringify(all.map((one) => ({ ...one }))),
    ];
    const basic = Buffer.from('sink:s3cret').toString('base64');
    for (const line of shown) assert.ok(!/s3cret|PRIVATE KEY/.test(line) && !line.includes(basic), line);
  });

  test('are refused by the name of the secret and the field, and never quoted', () => {
    refuses(readUserAndPassword, 's3cret', /is not a JSON object/);
    refuses(readUserAndPassword, '{"username":"u","password":"s3cret"', /is not a JSON object/);
    refuses(readUserAndPassword, '["s3cret"]', /is no JSON object/);
    refuses(readUserAndPassword, 'null', /is no JSON object/);
    refuses(readUserAndPassword, Buffer.from([0xff, 0x73]), /is no UTF-8 text/);
    refuses(readUserAndPassword, { username: 's3cret' }, /has no field "password"/);
    refuses(readUserAndPassword, { username: '', password: 's3cret' }, /field "username" that is no text/);
    refuses(readUserAndPassword, { username: 'u', password: 5 }, /field "password" that is no text/);
    refuses(readBasicAuthorization, { username: 'a:b', password: 's3cret' }, /colon in its field "username"/);
    refuses(readBearerAuthorization, { token: 's3cret\r\nX: y' }, /"token" that no header can carry/);
    refuses(readBearerAuthorization, {}, /has no field "token"/);
    refuses(readKeyAndCertificate, { key: pair.key }, /has no field "cert"/);
    refuses(readKeyAndCertificate, { ...pair, key: 's3cret' }, /"key" that is not a private key as PEM/);
    refuses(readKeyAndCertificate, { ...pair, cert: 's3cret' }, /"cert" that is not a certificate as PEM/);
    refuses(readKeyAndCertificate, { ...pair, ca: 's3cret' }, /"ca" that is not a certificate as PEM/);
    refuses(
      readKeyAndCertificate,
      { ...pair, key: authority.forServer().key },
      /"key" that is not the one of its "cert"/,
    );
  });
});
