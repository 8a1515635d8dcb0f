import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bench, benchResult, type Figures, gained, type Round, saved } from './bench-result.ts';
import { type BuiltSides, buildSides } from './build-sides.ts';
import { type BenchServers, withServers } from './ingest/bench-servers.ts';
import { measureEventToState } from './ingest/event-to-state.ts';
import { fillTopic, type RunTarget } from './ingest/ingest-stage.ts';
import { LONG_FLIGHTS, LONG_TIMES, measureLongRun } from './ingest/long-run.ts';
import { measureSink } from './ingest/measure-sink.ts';
import { profileSink } from './ingest/profile-sink.ts';
import { sameRows } from './ingest/same-rows.ts';
import { topic } from './ingest/topic.ts';
import { runChild } from './run-child.ts';

const EVENTS = 100_000;
/** A fifth of the events warms each process up. */
const COUNT_FROM = EVENTS / 5;
const ROUNDS = 3;
const LONG_TOPIC = 'flights-long';
/** As many events as the start of the process is no longer most of the profile. */
const PROFILED = { topic: 'flights-profiled', times: 4 };
const scripts = join(import.meta.dirname, 'ingest');
const results = join(import.meta.dirname, 'results');

/**
 * kafka-sink as a built bundle against an at-least-once sink on the official client: 100,000 real flights in four partitions,
 * Kafka and Spanner in processes of their own. One pair is run beforehand and not counted; the rows of the last one are compared.
 * Then ours alone: when asked for, a profile and a long run; and how long an event takes at half of the full load.
 */
export const benchIngest: Bench = async ({ rounds: wanted = ROUNDS, progress, ...extras }) => {
  const built = await buildSides(
    scripts,
    ['peer-sink', 'time-commits', 'write-side', 'steady-producer', 'full-load'],
    ['kafka-sink'],
  );
  const dir = mkdtempSync(join(tmpdir(), 'penstock-bench-'));
  const sinkOn = (target: RunTarget) => ourSink(built, target);
  try {
    const { rounds, long } = await withServers(dir, async (servers) => {
      const stage = { ...servers, built, dir, progress };
      const measured = await runPairs(stage, wanted);
      return { rounds: measured, long: await runAlone(stage, extras) };
    });
    const latencies = await measureEventToState({
      sinkOn,
      fullLoad: built.path('full-load'),
      steadyProducer: built.path('steady-producer'),
      dir,
      runs: wanted,
      progress,
    });
    return benchResult('ingest', rounds, ratios, [latencies, [long]]);
  } finally {
    built.remove();
    rmSync(dir, { recursive: true, force: true });
  }
};

/** What the sinks of one process of servers share. */
interface Stage extends BenchServers {
  readonly built: BuiltSides;
  readonly dir: string;
  readonly progress: (line: string) => void;
}

/** Both sides, one after the other, several times over. */
async function runPairs(stage: Stage, wanted: number): Promise<Round[]> {
  const { brokers, targets, progress } = stage;
  progress(`filling ${topic} with ${EVENTS} flights`);
  await fillTopic(brokers, topic, EVENTS);
  const run = (side: Side, target: RunTarget, spare: RunTarget) => runSide({ ...stage, side, target, spare });
  const rounds: Round[] = [];
  for (let at = 0; at <= wanted; at += 1) {
    const sides = { ours: await targets.next(), peer: await targets.next() };
    const ours = await run('ours', sides.ours, await targets.next());
    const peer = await run('peer', sides.peer, await targets.next());
    progress(`${at === 0 ? 'warm-up' : `round ${at} of ${wanted}`}: ${rate(ours)} rows/s, peer ${rate(peer)} rows/s`);
    if (at > 0) rounds.push({ ours, peer });
    if (at === wanted) await sameRows(sides.ours.database, sides.peer.database, EVENTS);
  }
  return rounds;
}

const ratios = {
  eventsPerCore: gained('rowsPerCpuSecond'),
  writeCpu: saved('writeCpuMicros'),
  jsonToMutation: saved('jsonToMutationMicros'),
  avroToMutation: saved('avroToMutationMicros'),
  rowsPerSecond: gained('rowsPerSecond'),
  rss: saved('rssMb'),
};

/** A profile and a long run of our sink, when they are asked for. */
async function runAlone(
  { targets, admin, built, dir, brokers, progress }: Stage,
  { profile, long }: { readonly profile?: boolean; readonly long?: boolean },
): Promise<Figures> {
  const sinkOn = async (name: string) => {
    const target = await targets.next(name);
    return { ...ourSink(built, target), topic: name, group: target.group, dir };
  };
  if (profile) {
    progress('a profiled run, not counted');
    await fillTopic(brokers, PROFILED.topic, EVENTS, PROFILED.times);
    await profileSink(admin, { ...(await sinkOn(PROFILED.topic)), rows: EVENTS * PROFILED.times, results });
  }
  if (!long) return {};
  progress(`a long run: ${LONG_FLIGHTS} flights, ${LONG_TIMES} times`);
  await fillTopic(brokers, LONG_TOPIC, LONG_FLIGHTS, LONG_TIMES);
  return await measureLongRun(admin, await sinkOn(LONG_TOPIC));
}

/** The built worker on the database of a run. */
function ourSink(built: BuiltSides, target: RunTarget) {
  return {
    command: [join(built.dist, 'kafka-sink/worker.js')],
    env: { PENSTOCK_DECLARATION: target.declarationPath, PENSTOCK_IDENTITY: 'sink@bench' },
  };
}

type Side = 'ours' | 'peer';

/** The sink over the topic, then what its hot paths cost alone. */
async function runSide(
  run: Stage & {
    readonly side: Side;
    readonly target: RunTarget;
    /** Takes what the hot paths write. */
    readonly spare: RunTarget;
  },
): Promise<Figures> {
  const { side, target, spare, built, admin, dir } = run;
  const { env, command: ownCommand } = ourSink(built, target);
  const command = side === 'ours' ? ownCommand : [built.path('peer-sink'), target.name, topic, target.group];
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
