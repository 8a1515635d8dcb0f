import assert from 'node:assert/strict';
import { test } from 'node:test';
import { protos } from '@google-cloud/spanner';
import { openSpannerServer } from '../../../../deploy/local/spanner/server.ts';
import { openSpannerChannel } from '../../../../shared/adapters/spanner/channel.ts';
import { openDatabase } from '../../../../shared/adapters/spanner/open-database.ts';
import { readSnapshot } from '../../../../shared/adapters/spanner/read-snapshot.ts';
import { encodeCreateSession } from '../../../../shared/adapters/spanner/request-bytes.ts';
import { openTestDatabase } from './test-database.ts';

const { CreateSessionRequest } = protos.google.spanner.v1;

test('encodeCreateSession() names the database role, and none where there is none', () => {
  const request = CreateSessionRequest.decode(encodeCreateSession('d', 'feed_reader')).toJSON();
  assert.deepEqual(request, { database: 'd', session: { creatorRole: 'feed_reader', multiplexed: true } });
  const plain = CreateSessionRequest.decode(encodeCreateSession('d')).toJSON();
  assert.deepEqual(plain.session, { multiplexed: true });
});

test('PENSTOCK_DATABASE_ROLE binds the channel and the official client to what the role may read', async () => {
  const server = await openSpannerServer();
  const opened = await openTestDatabase(server.address, [
    'CREATE TABLE T (K INT64, V INT64) PRIMARY KEY (K)',
    'CREATE ROLE feed_reader',
    'GRANT SELECT(K) ON TABLE T TO ROLE feed_reader',
  ]);
  const channel = openSpannerChannel(opened.name, { ...opened.env, PENSTOCK_DATABASE_ROLE: 'feed_reader' });
  const query = (sql: string) =>
    readSnapshot(channel, { attempted: 'read T', table: 'T', deadlineMs: 15_000 }, (ask) => ask(sql, {}));
  assert.deepEqual(await query('SELECT K FROM T'), []);
  await assert.rejects(query('SELECT V FROM T'), /Role feed_reader does not have required privileges on table T/);
  channel.close();
  const database = openDatabase(opened.name, 'feed_reader');
  await database.database.run('SELECT K FROM T');
  await assert.rejects(database.database.run('SELECT V FROM T'), { code: 7 });
  await database.close();
  const stranger = openDatabase(opened.name, 'nobody');
  await assert.rejects(stranger.database.run('SELECT 1'), /Role not found: nobody/);
  await stranger.close();
  await opened.close();
  await server.close();
});
