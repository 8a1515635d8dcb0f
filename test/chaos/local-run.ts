import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ChaosOptions, ChaosReport } from './chaos-report.ts';
import { startCloud } from './cloud-process.ts';
import type { CloudWriter, WriterVerdict } from './cloud-writer.ts';
import { openKafkaWriter } from './kafka-writer.ts';
import { openPubSubWriter } from './pubsub-writer.ts';
import { seededRandom } from './random.ts';
import { openSecretWriter } from './secret-writer.ts';
import { openSpannerWriter } from './spanner-writer.ts';
import { becomesTrue } from './wait-until.ts';

const WRITE_EVERY_MS = 5;
const MIN_LIFE_MS = 500;
const MAX_LIFE_MS = 4_000;
/** Every client must be able to write again within this time after a restart. */
const RECOVERY_TIMEOUT_MS = 60_000;

/** Addresses that clients hold on to over a restart. */
const KEPT = [
  'KAFKA_BROKERS',
  'SPANNER_EMULATOR_HOST',
  'PUBSUB_EMULATOR_HOST',
  'SECRET_MANAGER_EMULATOR_HOST',
  'PENSTOCK_OIDC_ISSUER',
];

/** One writer at work. */
interface Progress {
  readonly writer: CloudWriter;
  written: number;
  /** Writes of which it is not known whether they were done. */
  unknown: number;
}

/** Kills the laptop's cloud with -9 and restarts it on the same folder, while every server is written to. */
export async function attackLocal(options: ChaosOptions): Promise<ChaosReport> {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-crash-'));
  const random = seededRandom(options.seed);
  const startedAt = performance.now();
  let cloud = await startCloud(dir);
  const { env } = cloud;
  const writers = [
    await openKafkaWriter(env.KAFKA_BROKERS ?? ''),
    await openSpannerWriter(env.SPANNER_EMULATOR_HOST ?? ''),
    await openPubSubWriter(env.PUBSUB_EMULATOR_HOST ?? ''),
    await openSecretWriter(env.SECRET_MANAGER_EMULATOR_HOST ?? ''),
  ];
  const ending = new AbortController();
  const all = writers.map((writer): Progress => ({ writer, written: 0, unknown: 0 }));
  const writing = all.map((one) => writeUntil(one, ending.signal));
  const problems: string[] = [];
  let kills = 0;
  try {
    while (kills < options.kills && performance.now() - startedAt < options.maxMs) {
      await delay(random.between(MIN_LIFE_MS, MAX_LIFE_MS));
      await cloud.end('SIGKILL');
      kills += 1;
      cloud = await startCloud(dir);
      for (const name of KEPT) {
        if (cloud.env[name] !== env[name]) problems.push(`restart ${kills} moved ${name} to ${cloud.env[name]}`);
      }
      problems.push(...(await waitForWrites(all, kills)));
      options.onProgress(`${kills} kills; ${describe(all)}`);
    }
    ending.abort();
    await Promise.all(writing);
    const verdicts: (WriterVerdict & { readonly name: string })[] = [];
    for (const writer of writers) verdicts.push({ name: writer.name, ...(await writer.check()) });
    for (const { name, ...counts } of verdicts) {
      options.onProgress(`${name}: ${JSON.stringify(counts)}`);
      if (counts.lost + counts.doubled + counts.strange > 0) problems.push(`${name}: ${JSON.stringify(counts)}`);
    }
    for (const writer of writers) await writer.close();
    const code = await cloud.end('SIGTERM');
    if (code !== 0) problems.push(`penstock local ended with ${code} after SIGTERM`);
    const sum = (count: 'acknowledged' | 'lost' | 'doubled'): number =>
      verdicts.reduce((total, verdict) => total + verdict[count], 0);
    return {
      seed: options.seed,
      kills,
      faults: kills,
      recordsChecked: sum('acknowledged'),
      lost: sum('lost'),
      doubled: sum('doubled'),
      problems,
    };
  } finally {
    ending.abort();
    await cloud.end('SIGKILL').catch(() => {});
    rmSync(dir, { recursive: true, force: true });
  }
}

async function writeUntil(one: Progress, signal: AbortSignal): Promise<void> {
  for (let id = 1; !signal.aborted; id++) {
    await one.writer.write(id).then(
      () => {
        one.written += 1;
      },
      () => {
        one.unknown += 1;
      },
    );
    await delay(WRITE_EVERY_MS);
  }
}

/** Waits until every writer has written again. */
async function waitForWrites(all: readonly Progress[], kills: number): Promise<string[]> {
  const before = new Map(all.map((one) => [one, one.written]));
  const silent = (): Progress[] => all.filter((one) => one.written <= (before.get(one) ?? 0));
  await becomesTrue(() => silent().length === 0, RECOVERY_TIMEOUT_MS);
  return silent().map(({ writer }) => `${writer.name} could not be written to after restart ${kills}`);
}

function describe(all: readonly Progress[]): string {
  return all.map(({ writer, written, unknown }) => `${writer.name} ${written} (${unknown} unknown)`).join(', ');
}
