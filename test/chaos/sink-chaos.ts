import { setTimeout as delay } from 'node:timers/promises';
import type { RunningFunction } from '../../deploy/local/functions/run-function.ts';
import { catchingUp } from './caught-up.ts';
import type { ChaosKafka } from './chaos-cloud.ts';
import { checkSinks, type SinkVerdict } from './check-sinks.ts';
import { countDamages, type Damage } from './history-checker.ts';
import { type Load, openLoad } from './load.ts';
import { peakRssMb } from './peak-rss.ts';
import { seededRandom } from './random.ts';
import { refuseRecreated } from './recreate-topic.ts';
import { type Attack, doFault, type Fault, type FaultCounts, waitForProgress } from './sink-faults.ts';
import { openSinkRig, type SinkRig } from './sink-rig.ts';
import { isDoneInTheEnd } from './wait-until.ts';
import { openWorkerCrew, type Team, type WorkerCrew } from './worker-crew.ts';

const PARTITIONS = 4;
const WORKERS = 5;
const ABORT_RATE = 1 / 3;
const UNKNOWN_RATE = 0.02;
const MAX_PAUSE_MS = 300;
/** Each of them comes before one comes again. */
const FAULTS: readonly Fault[] = [
  ...Array.from({ length: 20 }, () => 'kill' as const),
  ...(['zombie', 'move', 'kill-push', 'restart-broker', 'restart-spanner', 'transactions', 'grow'] as const),
];

/** How long to attack, and how hard. */
export interface SinkChaosOptions {
  readonly dist: string;
  readonly seed: number;
  /** Ends when so many sinks were killed and every fault has come, or after so much time. */
  readonly kills: number;
  readonly maxMs: number;
  readonly recordsPerSecond: number;
  /** Of kafka-sink, at a time; 5 unless given. */
  readonly workers?: number;
  /** Among whom the pipelines are shared out; every worker runs all unless given. */
  readonly teams?: readonly Team[];
  /** Of the topic at the start; 4 unless given. */
  readonly partitions?: number;
  /** Brokers to use instead of the laptop's. */
  readonly kafka?: ChaosKafka;
  /** The faults of a round; all of them unless given. */
  readonly faults?: readonly Fault[];
  readonly onProgress?: (line: string) => void;
}

/** What a run did, and what the checker says. */
export interface SinkChaosReport extends FaultCounts {
  readonly seed: number;
  /** All faults: kills, zombies, moved partitions, restarts, commits whose answers were cut. */
  readonly faults: number;
  readonly unknownCommits: number;
  /** Records and messages that were held against Spanner. */
  readonly recordsChecked: number;
  readonly deadLetters: number;
  readonly lost: number;
  readonly doubled: number;
  readonly reordered: number;
  readonly staleOwners: number;
  /** Any other damage. */
  readonly otherDamages: number;
  readonly crashes: number;
  /** Of any worker. */
  readonly peakRssMb: number;
  /** Of this process, with the servers, the load and the checker in it. */
  readonly checkerRssMb: number;
  readonly seconds: number;
  readonly damages: readonly Damage[];
  readonly crashLines: readonly string[];
}

/** Attacks the sinks under continuous load, then lets them catch up and checks the whole history. */
export async function runSinkChaos(options: SinkChaosOptions): Promise<SinkChaosReport> {
  const startedAt = performance.now();
  const { dist, seed, kafka } = options;
  const rig = await openSinkRig({
    dist,
    partitions: options.partitions ?? PARTITIONS,
    random: seededRandom(seed + 2),
    ...(kafka ? { kafka } : {}),
  });
  // What is sent and what is done to the sinks must not depend on each other's timing.
  const load = await openLoad(rig, seededRandom(seed));
  const random = seededRandom(seed + 1);
  const ending = new AbortController();
  let crew: WorkerCrew | undefined;
  try {
    const entrance = await rig.cloud.door.openEntrance();
    const push = { entrance, sink: await rig.startPushSink(entrance) };
    crew = await openWorkerCrew(rig, random, {
      size: options.workers ?? WORKERS,
      ...(options.teams ? { teams: options.teams } : {}),
    });
    const attack = { rig, random, load, push, crew, counts: noFaults() };
    rig.cloud.spanner.setAbortRate(ABORT_RATE, seed);
    rig.cloud.door.setUnknownRate(UNKNOWN_RATE);
    const loading = startLoad(load, push.sink, options, ending.signal);
    await attackUntil(attack, options, startedAt);
    ending.abort();
    await loading;
    rig.cloud.spanner.setAbortRate(0, seed);
    rig.cloud.door.setUnknownRate(0);
    options.onProgress?.('No more faults; waiting until the sinks have caught up');
    await isDoneInTheEnd(() => catchingUp(rig, load));
    const verdict = await checkSinks(rig, load);
    options.onProgress?.('Everything is checked; the topic is deleted and created again');
    crew.close();
    const refusal = await refuseRecreated(rig, load);
    return reportOf(attack, verdict, { options, startedAt, refusal });
  } finally {
    ending.abort();
    crew?.close();
    await load.close();
    await rig.close();
  }
}

function noFaults(): FaultCounts {
  const kills = { kills: 0, killsInCommit: 0, killsAtStart: 0 };
  const others = { zombies: 0, moves: 0, brokerRestarts: 0, spannerRestarts: 0, transactions: 0, partitionsAdded: 0 };
  return { ...kills, ...others };
}

function startLoad(
  load: Load,
  push: RunningFunction,
  { recordsPerSecond }: SinkChaosOptions,
  signal: AbortSignal,
): Promise<void> {
  const messagesPerSecond = recordsPerSecond / 10;
  const loading = load.run({ recordsPerSecond, messagesPerSecond, pushUrl: push.url, signal });
  loading.catch(() => {});
  return loading;
}

async function attackUntil(attack: Attack, options: SinkChaosOptions, startedAt: number): Promise<void> {
  const { rig, random, counts, load } = attack;
  await waitForProgress(attack);
  let faults: Fault[] = [];
  // A round that was begun is gone through, unless the time is up.
  const isEnough = (): boolean => counts.kills >= options.kills && faults.length === 0;
  while (!isEnough() && performance.now() - startedAt < options.maxMs) {
    if (faults.length === 0) faults = random.shuffle(options.faults ?? FAULTS);
    await delay(random.between(0, MAX_PAUSE_MS));
    await doFault(attack, faults.pop() ?? 'kill');
    const records = load.last().reduce((sum, offset) => sum + offset + 1, 0);
    options.onProgress?.(`${describe(rig, counts)}; ${records} records and ${load.published.size} messages sent`);
  }
}

function describe({ cloud }: SinkRig, counts: FaultCounts): string {
  const { kills, zombies, moves, brokerRestarts, spannerRestarts } = counts;
  const faults = `${kills} kills, ${zombies} zombies, ${moves} moves, ${brokerRestarts + spannerRestarts} restarts`;
  const rssMb = Math.round(process.memoryUsage.rss() / 1_000_000);
  return `${faults}, ${cloud.door.unknownCommits} answers cut; ${rssMb} MB`;
}

function reportOf(
  { rig, crew, counts }: Attack,
  { damages, recordsChecked, deadLetters }: SinkVerdict,
  { options, startedAt, refusal }: { options: SinkChaosOptions; startedAt: number; refusal: string | undefined },
): SinkChaosReport {
  const [lost = 0, doubled = 0, reordered = 0, staleOwners = 0] = (
    ['lost', 'doubled', 'reordered', 'stale-owner'] as const
  ).map((kind) => countDamages(damages, kind));
  const { unknownCommits } = rig.cloud.door;
  const { kills, killsInCommit, ...others } = counts;
  const crashLines = refusal === undefined ? crew.crashes : [...crew.crashes, refusal];
  return {
    seed: options.seed,
    ...counts,
    unknownCommits,
    faults: Object.values(others).reduce((sum: number, count: number) => sum + count, kills + unknownCommits),
    recordsChecked,
    deadLetters,
    lost,
    doubled,
    reordered,
    staleOwners,
    otherDamages: countDamages(damages, 'broken-lineage') + countDamages(damages, 'unknown'),
    crashes: crashLines.length,
    peakRssMb: crew.peakRssMb(),
    checkerRssMb: peakRssMb(process.pid),
    seconds: Math.round((performance.now() - startedAt) / 1000),
    damages,
    crashLines,
  };
}
