import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { openSpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import { findCommitOf, findCommitsAt } from '../../../shared/adapters/spanner/ingest/lineage-store.ts';
import { databaseName, flight, flights, openIngest } from '../../functions/kafka-sink/ingest-fixture.ts';

const launch = resolve(import.meta.dirname, '../../../deploy/cli/launch.js');
const dir = mkdtempSync(join(tmpdir(), 'lineage-'));
const config = join(dir, 'penstock.yaml');
writeFileSync(
  config,
  `
spanner: { database: ${databaseName} }
kafka: { brokers: "b:1" }
pipelines:
  flights:
    source: { kafka: { topic: flights } }
    format: json
    table: Flights
    mode: upsert
    columns: { FlightId: { key: true }, Origin: { field: origin } }
`,
);
after(() => rmSync(dir, { recursive: true }));

async function lineage(...args: string[]) {
  const child = spawn(process.execPath, [launch, 'lineage', ...args, '--config', config, '--json']);
  const [out, error, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { status, error, found: out === '' ? undefined : JSON.parse(out) };
}

test('penstock lineage answers which offsets made a commit timestamp, and which commit took an offset', async () => {
  await using ingest = await openIngest();
  await ingest.createTopic(2);
  const messages = Array.from({ length: 90 }, (_, at) => ({ ...flight(`F${at}`), partition: at % 3 === 0 ? 1 : 0 }));
  await ingest.produce(messages);
  await ingest.sink({ ...flights, batch: { ...flights.batch, maxRows: 7 } });
  const commits = await ingest.query(
    `SELECT PartitionId, CAST(FromOffset AS STRING) AS f, CAST(ToOffset AS STRING) AS t,
      FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E*SZ', CommittedAt, 'UTC') AS c FROM PenstockLineage`,
  );
  assert.equal(commits.length, Math.ceil(60 / 7) + Math.ceil(30 / 7));

  const channel = openSpannerChannel(databaseName, process.env);
  for (const { PartitionId, f, t, c: at } of commits) {
    const place = { pipeline: 'flights', topic: 'flights', partition: Number(PartitionId) };
    for (const scan of [false, true]) {
      const origin = await findCommitsAt(channel, 'flights', { at: String(at), scan });
      const found = origin.commits.map(({ partition, fromOffset, toOffset }) => [partition, fromOffset, toOffset]);
      assert.ok(
        found.some((one) => JSON.stringify(one) === JSON.stringify([place.partition, f, t])),
        `${at}: ${found}`,
      );
    }
    for (const offset of [BigInt(String(f)), BigInt(String(t)) - 1n]) {
      assert.equal((await findCommitOf(channel, { ...place, offset }))?.fromOffset, f);
    }
  }
  assert.equal(
    await findCommitOf(channel, { pipeline: 'flights', topic: 'flights', partition: 0, offset: 60n }),
    undefined,
  );
  channel.close();

  const { f, t, c: at, PartitionId } = commits[3] ?? {};
  const byTime = await lineage('--table', 'Flights', '--committed-at', String(at));
  assert.equal(byTime.status, 0, byTime.error);
  assert.ok(byTime.found.commits.some((one: { fromOffset: string }) => one.fromOffset === f));
  const byOffset = await lineage('--topic', 'flights', '--partition', String(PartitionId), '--offset', String(f));
  assert.deepEqual([byOffset.found.fromOffset, byOffset.found.toOffset], [f, t]);
  assert.equal(byOffset.found.identity, 'tester@test.iam.gserviceaccount.com');

  const refused = [
    ['--committed-at', '2001-01-01T00:00:00Z'],
    ['--committed-at', 'noon'],
    ['--table', 'Nowhere', '--committed-at', String(at)],
    [],
    ['some-epoch'],
  ];
  const statuses = await Promise.all(refused.map(async (args) => (await lineage(...args)).status));
  assert.deepEqual(statuses, [1, 2, 2, 2, 2]);
});
