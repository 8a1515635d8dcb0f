import { setTimeout as delay } from 'node:timers/promises';
import { isCaughtUp } from './caught-up.ts';
import type { ChaosKafka } from './chaos-cloud.ts';
import { checkSinks, type SinkVerdict } from './check-sinks.ts';
import { countDamages } from './history-checker.ts';
import { type Load, openLoad } from './load.ts';
import { seededRandom } from './random.ts';
import { openRotatedSecret, type RotatedSecret, rotatedSecret } from './rotated-secret.ts';
import { openRotationCrew, type RotationCrew } from './rotation-crew.ts';
import { waitForProgress } from './sink-faults.ts';
import { openSinkRig, type SinkRig } from './sink-rig.ts';
import { becomesTrue } from './wait-until.ts';

const PARTITIONS = 4;
const WORKERS = 2;
const ROTATORS = 2;
const CATCH_UP_TIMEOUT_MS = 120_000;
const PROBE_EVERY_MS = 400;
const TICK_MS = 200;

/** How many rotations, and how hard. */
export interface RotationChaosOptions {
  readonly dist: string;
  readonly seed: number;
  readonly rotations: number;
  /** No rotation begins after so long. */
  readonly maxMs: number;
  readonly recordsPerSecond: number;
  /** Whether rotators are killed. */
  readonly isAttacked: boolean;
  /** Brokers to use instead of the laptop's; they let in by SCRAM as well. */
  readonly kafka?: ChaosKafka;
  readonly onProgress?: (line: string) => void;
}

/** What a run did, and what was found. */
export interface RotationChaosReport {
  readonly seed: number;
  readonly rotations: number;
  readonly kills: number;
  /** Different points at which a rotator died. */
  readonly killPoints: number;
  /** Kills, duplicates and races. */
  readonly faults: number;
  /** Times that `current` was logged in by. */
  readonly probes: number;
  /** Warnings and errors of the sinks. */
  readonly failedBatches: number;
  readonly recordsChecked: number;
  readonly lost: number;
  readonly doubled: number;
  readonly seconds: number;
  readonly problems: readonly string[];
}

/**
 * Rotates the sinks' Kafka password again and again under load, by two rotators at once that are killed at each of their points,
 * with late duplicates; no sink is restarted.
 */
export async function runRotationChaos(options: RotationChaosOptions): Promise<RotationChaosReport> {
  const startedAt = performance.now();
  const { dist, seed, kafka, recordsPerSecond } = options;
  const rig = await openSinkRig({
    dist,
    partitions: PARTITIONS,
    byScram: true,
    random: seededRandom(seed + 2),
    ...(kafka ? { kafka } : {}),
  });
  const load = await openLoad(rig, seededRandom(seed));
  const ending = new AbortController();
  const problems: string[] = [];
  let failedBatches = 0;
  let secret: RotatedSecret | undefined;
  try {
    secret = await openRotatedSecret(rig.cloud);
    const crew = await openRotationCrew(rig, ROTATORS);
    const onLine = (line: string): void => {
      if (!/"severity":"(WARNING|ERROR)"/.test(line)) return;
      failedBatches += 1;
      problems.push(`a sink said: ${line.slice(0, 300)}`);
    };
    const sinks = Array.from({ length: WORKERS }, () => rig.startSink({ onLine }));
    for (const sink of sinks) void sink.ended.then((code) => rig.isClosed() || problems.push(`a sink ended: ${code}`));
    const loading = load.run({ recordsPerSecond, messagesPerSecond: 0, pushUrl: '', signal: ending.signal });
    loading.catch(() => {});
    await waitForProgress({ rig, load });
    const probing = probe(secret, ending.signal, problems);
    const done = await rotateAgainAndAgain({ rig, load, crew, secret }, options, { startedAt, problems });
    ending.abort();
    await loading;
    const probes = await probing;
    await becomesTrue(() => isCaughtUp(rig, load), CATCH_UP_TIMEOUT_MS);
    const verdict = await checkSinks(rig, load);
    await findOrphans(crew, secret, problems);
    return reportOf(verdict, { options, startedAt, crew, problems, failedBatches, probes, ...done });
  } finally {
    ending.abort();
    await secret?.close();
    await load.close();
    await rig.close();
  }
}

async function rotateAgainAndAgain(
  {
    rig,
    load,
    crew,
    secret,
  }: {
    readonly rig: SinkRig;
    readonly load: Load;
    readonly crew: RotationCrew;
    readonly secret: RotatedSecret;
  },
  { rotations, maxMs, isAttacked, onProgress }: RotationChaosOptions,
  { startedAt, problems }: { readonly startedAt: number; readonly problems: string[] },
): Promise<{ readonly rotations: number; readonly duplicates: number }> {
  let duplicates = 0;
  let count = 0;
  for (; count < rotations && performance.now() - startedAt < maxMs; count++) {
    const before = await secret.aliases();
    if (isAttacked) crew.armNext();
    const request = { body: { secret: rotatedSecret }, id: `rotation-${count}` };
    // Both are asked at once, and asked again until it is done: each answer but one is a duplicate's.
    const { step } = await crew.untilDone(request, (answer) => answer.step === 'retire' || answer.step === 'failed');
    if (step === 'failed') problems.push(`rotation ${count} failed`);
    if (count > 0) {
      await crew.ask(0, { ...request, id: `rotation-${count - 1}` });
      duplicates += 1;
    }
    const after = await secret.aliases();
    const wanted = { current: after.current ?? 0, previous: before.current ?? 0 };
    if (
      JSON.stringify(after, Object.keys(after).sort()) !== JSON.stringify(wanted) ||
      wanted.current <= wanted.previous
    ) {
      problems.push(`rotation ${count} left ${JSON.stringify(after)} after ${JSON.stringify(before)}`);
    }
    await waitForProgress({ rig, load });
    await untilRetired(crew, secret);
    onProgress?.(`${count + 1} rotations, ${crew.kills} rotators killed, current is version ${after.current}`);
  }
  return { rotations: count, duplicates };
}

/** Ticks until one version is left: its last user has been seen with the new one. */
async function untilRetired(crew: RotationCrew, secret: RotatedSecret): Promise<void> {
  const isRetired = async (): Promise<boolean> => {
    await Promise.all(Array.from({ length: crew.size }, (_, which) => crew.ask(which, { body: {} })));
    const { current } = await secret.aliases();
    const [only, ...others] = await secret.enabled();
    if (only === current && others.length === 0 && (await secret.users()).length === 1) return true;
    await delay(TICK_MS);
    return false;
  };
  if (!(await becomesTrue(isRetired, CATCH_UP_TIMEOUT_MS))) {
    throw new Error(`The old version lives on: ${JSON.stringify([await secret.enabled(), await secret.users()])}`);
  }
}

/** Logs in by `current` again and again: it must work at every moment. */
async function probe(secret: RotatedSecret, signal: AbortSignal, problems: string[]): Promise<number> {
  let probes = 0;
  while (!signal.aborted) {
    await secret.logIn().then(
      () => {
        probes += 1;
      },
      (error: unknown) => problems.push(`current did not work: ${error instanceof Error ? error.message : error}`),
    );
    await delay(PROBE_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
  return probes;
}

/** What is left in Secret Manager and in the brokers when all is over. */
async function findOrphans(crew: RotationCrew, secret: RotatedSecret, problems: string[]): Promise<void> {
  crew.disarm();
  await untilRetired(crew, secret);
  const { current, previous, ...others } = await secret.aliases();
  if (Object.keys(others).length > 0) problems.push(`aliases are left: ${Object.keys(others).join(', ')}`);
  if (current === undefined || previous === undefined) problems.push('current or previous names no version');
}

function reportOf(
  { damages, recordsChecked }: SinkVerdict,
  run: {
    readonly options: RotationChaosOptions;
    readonly startedAt: number;
    readonly crew: RotationCrew;
    readonly problems: readonly string[];
    readonly failedBatches: number;
    readonly probes: number;
    readonly rotations: number;
    readonly duplicates: number;
  },
): RotationChaosReport {
  const { crew, rotations, duplicates } = run;
  const alerts = crew.alerts.map((alert) => `an alert was raised: ${alert}`);
  return {
    seed: run.options.seed,
    rotations,
    kills: crew.kills,
    killPoints: crew.killedAt.size,
    faults: crew.kills + duplicates + rotations,
    probes: run.probes,
    failedBatches: run.failedBatches,
    recordsChecked,
    lost: countDamages(damages, 'lost'),
    doubled: countDamages(damages, 'doubled'),
    seconds: Math.round((performance.now() - run.startedAt) / 1000),
    problems: [...run.problems, ...alerts, ...damages.map(({ kind, where, what }) => `${kind}: ${where} ${what}`)],
  };
}
