import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Credentials } from '../../../../../deploy/local/kafka/sasl/credentials.ts';
import { StateStore } from '../../../../../deploy/local/kafka/storage/state-store.ts';

test('a password is right for its user alone, and for nobody who is not there', async () => {
  const credentials = new Credentials(new StateStore(undefined));
  await credentials.seed({ sink: 'p', other: 'q' });
  assert.equal(await credentials.checkPassword('sink', 'p'), true);
  assert.equal(await credentials.checkPassword('sink', 'q'), false);
  assert.equal(await credentials.checkPassword('sink', ''), false);
  // What a missing user is compared with, so that it takes as long.
  assert.equal(await credentials.checkPassword('nobody', ''), false);
});

test('the same password twice has different keys', async () => {
  const credentials = new Credentials(new StateStore(undefined));
  await credentials.seed({ one: 'p', two: 'p' });
  const [one, two] = ['one', 'two'].map((user) => credentials.scram('SCRAM-SHA-512', user));
  assert.notDeepEqual(one?.salt, two?.salt);
  assert.notDeepEqual(one?.storedKey, two?.storedKey);
});
