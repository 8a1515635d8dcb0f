import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import type { ChaosOptions, ChaosReport } from './chaos-report.ts';

const USAGE = `npm run chaos -- [--feed|--local|--rotation] [--minutes N] [--kills N] [--seed S] [--json]

Attacks Penstock on a cloud of its own, under load, and checks that nothing was lost or doubled.
  (none)        kafka-sink and pubsub-sink are killed, stopped and moved; brokers and Spanner go away and come back;
                Spanner aborts a third of the commits, and answers to others are cut after they were done
  --feed        planner, readers and trainer are killed at work, shard messages come twice, late and in another order, two readers
                are at one shard, while the table changes
  --local       the laptop's cloud itself is killed and restarted
  --rotation    the sinks' Kafka password is rotated under load, again and again, by two rotators that are killed at each of
                their points
  --minutes N   how long; 5 unless given
  --kills N     end after so many kills
  --seed S      makes the same choices again
  --json        the last line of stdout is one JSON object`;

const MAX_MINUTES = 24 * 60;
const MAX_SHOWN_DAMAGES = 20;

type Kind = 'sinks' | 'feed' | 'local' | 'rotation';

/** Each kind is loaded when it is asked for. */
const kinds: Readonly<Record<Kind, () => Promise<(options: ChaosOptions) => Promise<ChaosReport>>>> = {
  sinks: async () => (await import('./sinks-run.ts')).attackSinks,
  feed: async () => (await import('./feed-run.ts')).attackFeed,
  local: async () => (await import('./local-run.ts')).attackLocal,
  rotation: async () => (await import('./rotation-run.ts')).attackRotation,
};

function refuse(problem: string): number {
  console.error(`${problem}\n\n${USAGE}`);
  return 2;
}

function wholeNumber(text: string | undefined, fallback: number, max: number): number | undefined {
  if (text === undefined) return fallback;
  const value = Number(text);
  return Number.isInteger(value) && value >= 1 && value <= max ? value : undefined;
}

function readArguments() {
  return parseArgs({
    options: {
      feed: { type: 'boolean', default: false },
      local: { type: 'boolean', default: false },
      rotation: { type: 'boolean', default: false },
      minutes: { type: 'string' },
      kills: { type: 'string' },
      seed: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  }).values;
}

async function main(): Promise<number> {
  let given: ReturnType<typeof readArguments>;
  try {
    given = readArguments();
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
  if (given.help) {
    console.log(USAGE);
    return 0;
  }
  const chosen = (['feed', 'local', 'rotation'] as const).filter((name) => given[name]);
  if (chosen.length > 1) return refuse(`--${chosen.join(' and --')} are runs of their own: choose one.`);
  const minutes = wholeNumber(given.minutes, 5, MAX_MINUTES);
  if (minutes === undefined) return refuse(`--minutes ${given.minutes} is no whole number from 1 to ${MAX_MINUTES}.`);
  const kills = wholeNumber(given.kills, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  if (kills === undefined) return refuse(`--kills ${given.kills} is no whole number of 1 or more.`);
  const seed = wholeNumber(given.seed, randomInt(1, 2 ** 31), 2 ** 32 - 1);
  if (seed === undefined) return refuse(`--seed ${given.seed} is no whole number from 1 to ${2 ** 32 - 1}.`);

  const kind: Kind = chosen[0] ?? 'sinks';
  const startedAt = performance.now();
  const onProgress = (line: string): void =>
    console.error(`${((performance.now() - startedAt) / 1000).toFixed(0).padStart(5)} s  ${line}`);
  onProgress(`attacking ${kind} for ${minutes} min; --seed ${seed} repeats it`);
  const attack = await kinds[kind]();
  const { problems, ...report } = await attack({ seed, maxMs: minutes * 60_000, kills, onProgress });
  for (const problem of problems.slice(0, MAX_SHOWN_DAMAGES)) console.error(`✖ ${problem}`);
  if (problems.length > MAX_SHOWN_DAMAGES) console.error(`✖ and ${problems.length - MAX_SHOWN_DAMAGES} more`);
  const ok = problems.length === 0;
  console.log(given.json ? JSON.stringify({ ok, ...report }) : `${ok ? '✔' : '✖'} ${describe(report)}`);
  return ok ? 0 : 1;
}

function describe(report: object): string {
  return Object.entries(report)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}

process.exitCode = await main();
