import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '../../../../shared/base/errors.ts';
import type { RotationStrategy } from '../../../../shared/model/config/declaration.ts';
import { readDeclaration } from '../../../../shared/model/config/read-declaration.ts';

/** The strategy, or what is wrong with it. */
function read(settings: string): RotationStrategy | undefined | readonly string[] {
  const text = `
spanner: { database: projects/p/instances/i/databases/d }
secrets:
  s: { every: 28d, ${settings} }
`;
  try {
    return readDeclaration({ file: 'penstock.yaml', text, env: {}, sections: ['secrets'] }).declaration.secrets.s
      ?.strategy;
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map(({ path, message }) => `${path} ${message}`);
  }
}

const DAY_MS = 86_400_000;

test('readDeclaration() reads a command with its arguments, and wants an absolute path', () => {
  const run = ['/opt/rotate', '--db', 'shop'];
  assert.deepEqual(read('strategy: command, command: { run: [/opt/rotate, --db, shop] }'), {
    kind: 'command',
    run,
    timeoutMs: 30_000,
  });
  assert.deepEqual(read('strategy: command'), ['secrets.s.command is missing']);
  assert.deepEqual(read('strategy: command, command: { run: [rotate] }'), [
    'secrets.s.command begins with "rotate", no absolute path',
  ]);
  assert.deepEqual(read('strategy: command, command: { run: [/opt/rotate], timeout: 1h }'), [
    'secrets.s.command.timeout is longer than 5m',
  ]);
});

test('readDeclaration() lets a certificate outlive a rotation that comes late', () => {
  const certificate = 'strategy: tls-certificate, authority: kafka-ca, subject: "CN=sink,O=Penstock", overlap: 2d';
  assert.deepEqual(read(certificate), {
    kind: 'tls-certificate',
    authority: 'kafka-ca',
    subject: 'CN=sink,O=Penstock',
    lifetimeMs: 60 * DAY_MS,
  });
  assert.deepEqual(read(`${certificate}, lifetime: 30d`), [
    'secrets.s.lifetime is no longer than `every` and `overlap`',
  ]);
  assert.deepEqual(read('strategy: tls-certificate'), [
    'secrets.s.authority is missing',
    'secrets.s.subject is missing',
  ]);
});

test('readDeclaration() wants the account of a key, and refuses settings of other strategies', () => {
  const account = 'exporter@p.iam.gserviceaccount.com';
  assert.deepEqual(read(`strategy: service-account-key, account: ${account}`), {
    kind: 'service-account-key',
    account,
  });
  assert.deepEqual(read('strategy: service-account-key'), ['secrets.s.account is missing']);
  assert.deepEqual(read(`strategy: hmac-key, account: ${account}`), [
    'secrets.s.account belongs to strategy service-account-key',
  ]);
});
