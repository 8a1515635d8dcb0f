import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Admin } from 'kafkajs';
import { kafkajsClient } from '../../shared/adapters/kafka/kafkajs-client.ts';
import { type Bench, benchResult, type Figures, gained, type Round, saved } from './bench-result.ts';
import { type BuiltSides, buildSides } from './build-sides.ts';
import { startCloud } from './cloud-process.ts';
import { fillTopic, openTargets, type RunTarget } from './ingest/ingest-stage.ts';
import { measureSink } from './ingest/measure-sink.ts';
import { sameRows } from './ingest/same-rows.ts';
import { topic } from './ingest/topic.ts';
import { runChild } from './run-child.ts';

const EVENTS = 50_000;
/** A fifth of the events warms each process up. */
const COUNT_FROM = EVENTS / 5;
const ROUNDS = 3;
const scripts = join(import.meta.dirname, 'ingest');

/**
 * kafka-sink as a built bundle against an at-least-once sink on the official client: 50,000 real flights in four partitions,
 * Kafka and Spanner in a third process. One pair is run beforehand and not counted; the rows of the last one are compared.
 */
export const benchIngest: Bench = async ({ rounds: wanted = ROUNDS, progress }) => {
  const built = await buildSides(scripts, ['peer-sink', 'time-commits', 'write-side'], ['kafka-sink']);
  const dir = mkdtempSync(join(tmpdir(), 'penstock-bench-'));
  const cloud = await startCloud();
  const brokers = cloud.env.KAFKA_BROKERS ?? '';
  const targets = openTargets(cloud.env, dir);
  const admin = kafkajsClient({ clientId: 'bench', brokers: [brokers] }).admin();
  try {
    progress(`filling ${topic} with ${EVENTS} flights`);
    await fillTopic(brokers, EVENTS);
    await admin.connect();
    const run = (side: Side, target: RunTarget, spare: RunTarget) =>
      runSide({ side, target, spare, built, admin, dir });
    const rounds: Round[] = [];
    for (let at = 0; at <= wanted; at += 1) {
      const sides = { ours: await targets.next(), peer: await targets.next() };
      const ours = await run('ours', sides.ours, await targets.next());
      const peer = await run('peer', sides.peer, await targets.next());
      progress(`${at === 0 ? 'warm-up' : `round ${at} of ${wanted}`}: ${rate(ours)} rows/s, peer ${rate(peer)} rows/s`);
      if (at > 0) rounds.push({ ours, peer });
      if (at === wanted) await sameRows(sides.ours.database, sides.peer.database, EVENTS);
    }
    return benchResult('ingest', rounds, {
      eventsPerCore: gained('rowsPerCpuSecond'),
      writeCpu: saved('writeCpuMicros'),
      jsonToMutation: saved('jsonToMutationMicros'),
      avroToMutation: saved('avroToMutationMicros'),
      rowsPerSecond: gained('rowsPerSecond'),
      rss: saved('rssMb'),
    });
  } finally {
    await admin.disconnect();
    targets.close();
    await cloud.stop();
    built.remove();
    rmSync(dir, { recursive: true, force: true });
  }
};

type Side = 'ours' | 'peer';

/** The sink over the topic, then what its hot paths cost alone. */
async function runSide(run: {
  readonly side: Side;
  readonly target: RunTarget;
  /** Takes what the hot paths write. */
  readonly spare: RunTarget;
  readonly built: BuiltSides;
  readonly admin: Admin;
  readonly dir: string;
}): Promise<Figures> {
  const { side, target, spare, built, admin, dir } = run;
  const env = { PENSTOCK_DECLARATION: target.declarationPath, PENSTOCK_IDENTITY: 'sink@bench' };
  const command =
    side === 'ours'
      ? [join(built.dist, 'kafka-sink/worker.js')]
      : [built.path('peer-sink'), target.name, topic, target.group];
  const preload = built.path('time-commits');
  const counted = { group: target.group, countFrom: COUNT_FROM, countTo: EVENTS };
  const sink = await measureSink(admin, { command, preload, env, dir, ...counted });
  const json = await runChild(built.path('write-side'), [side, spare.name, 'json'], { env });
  const avro = await runChild(built.path('write-side'), [side, spare.name, 'avro'], { env });
  return { ...sink, ...json, ...avro };
}

function rate({ rowsPerSecond = 0 }: Figures): number {
  return Math.round(rowsPerSecond);
}
