import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import { openDashboard } from '../../../functions/dashboard/open-dashboard.ts';
import type { Overview, PipelineView } from '../../../functions/dashboard/view/view-model.ts';
import { listSecretUsers } from '../../../shared/adapters/spanner/rotations/secret-users.ts';
import { noLog } from '../../../shared/base/log.ts';
import { openAuthority } from '../../../shared/connect/authority.ts';
import type { Declaration, KafkaSource } from '../../../shared/model/config/declaration.ts';
import { makeAuthority } from '../../deploy/local/kafka/certificates.ts';
import { openSecretServer, PROJECT, type SecretServer } from '../../shared/adapters/secrets/secret-server.ts';
import { plainKafka } from '../../shared/model/config/plain-pipeline.ts';
import { flight, flights, type Ingest, openIngest, runSink } from '../kafka-sink/ingest-fixture.ts';
import { rotatedSecret } from './example-sources.ts';

const certificates = makeAuthority();
const fullName = (secret: string): string => `projects/${PROJECT}/secrets/${secret}`;
const MINUTE_MS = 60_000;
const DEADLINE_MS = 120_000;
let secrets: SecretServer;
let ingest: Ingest;
let declaration: Declaration;

before(async () => {
  secrets = await openSecretServer();
  secrets.rotate('authority', certificates.ca);
  secrets.rotate('kafka', JSON.stringify({ username: 'sink', password: 'right' }));
  ingest = await openIngest({
    kafka: {
      listeners: { SASL_SSL: { tls: certificates.forServer(), sasl: { mechanisms: ['SCRAM-SHA-512'] } } },
      users: { sink: 'right' },
    },
  });
  const source: KafkaSource = { kind: 'kafka', topics: [], pattern: 'flights-.*', group: 'penstock-flights' };
  declaration = {
    ...ingest.declaration({ ...flights, source }),
    secrets: { kafka: rotatedSecret('kafka') },
    kafka: {
      ...plainKafka(ingest.addresses.SASL_SSL ?? ''),
      tls: true,
      caSecret: fullName('authority'),
      auth: { mechanism: 'scram-sha-512', secret: fullName('kafka') },
    },
  };
});
after(async () => {
  await ingest[Symbol.asyncDispose]();
  await secrets.close();
});

/** The one pipeline, as an open page sees it. */
async function openPage() {
  const authority = await openAuthority(declaration, { door: 'dashboard', log: noLog });
  const dashboard = await openDashboard(
    declaration,
    { ...process.env, PENSTOCK_DASHBOARD_ACCESS: 'open' },
    {
      log: noLog,
      refused: { page: () => false, login: () => false },
      authority,
    },
  );
  const listener = getRequestListener(dashboard.app.fetch, { overrideGlobalObjects: false });
  const server = createServer((request, response) => void listener(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const look = async (): Promise<PipelineView> => {
    const answer = await fetch(`http://127.0.0.1:${address.port}/api/overview`);
    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    const overview: Overview = JSON.parse(text);
    const [pipeline] = overview.pipelines;
    assert.ok(pipeline);
    return pipeline;
  };
  return {
    look,
    /** Looks until the lag is so many records. */
    async until(lagRecords: number): Promise<PipelineView> {
      const deadline = Date.now() + DEADLINE_MS;
      for (;;) {
        const seen = await look();
        if (seen.lagRecords === lagRecords) return seen;
        assert.ok(Date.now() < deadline, `The lag never was ${lagRecords}: ${JSON.stringify(seen)}`);
        await delay(200);
      }
    },
    /** Looks until the newest page is seen with this version of the brokers' secret. */
    async untilSeenWith(version: number): Promise<void> {
      const deadline = Date.now() + DEADLINE_MS;
      for (;;) {
        const pages = (await listSecretUsers(ingest.database, 'kafka')).filter(({ holder }) =>
          /^dashboard\//.test(holder),
        );
        const newest = pages.reduce((one, other) => (other.seenAtMs > one.seenAtMs ? other : one), {
          version: 0,
          seenAtMs: 0,
        });
        if (newest.version === version) return;
        assert.ok(Date.now() < deadline, `The page is seen with ${JSON.stringify(pages)}`);
      }
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await dashboard.close();
    },
  };
}

test('the dashboard tells the lag of topics that a pattern chooses, in records and in time, of brokers that ask who it is', async () => {
  await ingest.createTopic(1, 'flights-east');
  await ingest.createTopic(1, 'flights-west');
  await ingest.createTopic(1, 'other');
  const produceAt = async (agoMs: number, topic: string, ...ids: string[]): Promise<void> => {
    const timestamp = String(Date.now() - agoMs);
    await ingest.producer.send({ topic, messages: ids.map((id) => ({ ...flight(id), timestamp })) });
  };
  await produceAt(3 * MINUTE_MS, 'flights-east', 'F0', 'F1');
  await produceAt(0, 'other', 'X');
  await using page = await openPage();
  const never = await page.until(2);
  assert.ok(
    never.lagMs !== null && never.lagMs >= 3 * MINUTE_MS,
    `${never.lagMs} ms, though nothing was ever committed`,
  );
  await runSink(declaration);
  assert.equal((await page.until(0)).lagMs, 0);
  await produceAt(5 * MINUTE_MS, 'flights-west', 'F2', 'F3', 'F4');
  const behind = await page.until(3);
  assert.ok(behind.lagMs !== null && behind.lagMs < 5 * MINUTE_MS, 'they have waited since nothing was seen to wait');
  assert.deepEqual(
    behind.partitions.map(({ topic, nextOffset, endOffset }) => [topic, nextOffset, endOffset]),
    [
      ['flights-east', '2', '2'],
      ['flights-west', '0', '3'],
    ],
  );
});

test('the dashboard does not know the lag while brokers refuse its password, tells it when the secret is right, and reports which version it goes by', async () => {
  secrets.rotate('kafka', JSON.stringify({ username: 'sink', password: 'wrong' }));
  await using page = await openPage();
  const refused = await page.look();
  assert.deepEqual([refused.lagRecords, refused.lagMs, refused.state], [null, null, 'unknown']);
  await page.untilSeenWith(2);
  secrets.rotate('kafka', JSON.stringify({ username: 'sink', password: 'right' }));
  await page.until(3);
  await page.untilSeenWith(3);
});
