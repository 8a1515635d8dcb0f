import assert from 'node:assert/strict';
import { test } from 'node:test';
import { protos } from '@google-cloud/spanner';
import { openSpannerServer } from '../../../../deploy/local/spanner/server.ts';
import { openSpannerChannel } from '../../../../shared/adapters/spanner/channel.ts';
import { openDatabase } from '../../../../shared/adapters/spanner/open-database.ts';
import { encodeCreateSession } from '../../../../shared/adapters/spanner/request-bytes.ts';
import { openTestDatabase } from './test-database.ts';

const { CreateSessionRequest } = protos.google.spanner.v1;

test('encodeCreateSession() names the database role, and none where there is none', () => {
  const request = CreateSessionRequest.decode(encodeCreateSession('d', 'feed_reader')).toJSON();
  assert.deepEqual(request, { database: 'd', session: { creatorRole: 'feed_reader', multiplexed: true } });
  const plain = CreateSessionRequest.decode(encodeCreateSession('d')).toJSON();
  assert.deepEqual(plain.session, { multiplexed: true });
});

test('PENSTOCK_DATABASE_ROLE reaches Spanner from the channel and from the official client: the laptop’s refuses it', async () => {
  const server = await openSpannerServer();
  const opened = await openTestDatabase(server.address, ['CREATE TABLE T (K INT64) PRIMARY KEY (K)']);
  const channel = openSpannerChannel(opened.name, { ...opened.env, PENSTOCK_DATABASE_ROLE: 'feed_reader' });
  await assert.rejects(channel.session(), /Database roles are not part of the laptop's Spanner/);
  channel.close();
  const database = openDatabase(opened.name, 'feed_reader');
  await assert.rejects(database.database.run('SELECT 1'), /Database roles are not part of the laptop's Spanner/);
  await database.close();
  await opened.close();
  await server.close();
});
