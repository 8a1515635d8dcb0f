import assert from 'node:assert/strict';
import { test } from 'node:test';
import { localAccess, NotLocalError } from '../../../functions/dashboard/access.ts';

const enter = (remoteAddress: string | undefined, host: string | undefined) =>
  localAccess()({ authorization: undefined, host, remoteAddress });

test('localAccess() lets in this machine by its own names', async () => {
  for (const address of ['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1']) await enter(address, 'localhost:8080');
  for (const host of ['LOCALHOST', '127.0.0.1', '127.0.0.1:1', '[::1]', '[::1]:8080']) await enter('127.0.0.1', host);
});

test('localAccess() refuses other machines and other names', async () => {
  for (const address of ['10.0.0.7', '::ffff:10.0.0.7', '1127.0.0.1', '', undefined]) {
    await assert.rejects(enter(address, 'localhost'), NotLocalError, String(address));
  }
  for (const host of [
    'example.com',
    'localhost.example.com',
    '127.0.0.1.nip.example',
    'localhost:80@x',
    '',
    undefined,
  ]) {
    await assert.rejects(enter('127.0.0.1', host), NotLocalError, String(host));
  }
});
