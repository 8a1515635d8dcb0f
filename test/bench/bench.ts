import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Bench, formatResult } from './bench-result.ts';

const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  ingest: async () => (await import('./ingest.ts')).benchIngest,
  feed: async () => (await import('./feed.ts')).benchFeed,
  coldstart: async () => (await import('./coldstart.ts')).benchColdstart,
  scale: async () => (await import('./scale.ts')).benchScale,
};

const MAX_ROUNDS = 100;
const results = join(import.meta.dirname, 'results');

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      long: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      rounds: { type: 'string' },
    },
  });
  const [name = ''] = positionals;
  const open = Object.hasOwn(benches, name) ? benches[name] : undefined;
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  if (!open || positionals.length > 1) return usage(`There is no benchmark ${JSON.stringify(positionals.join(' '))}.`);
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds >= 1 && rounds <= MAX_ROUNDS)) {
    return usage(`--rounds is ${JSON.stringify(values.rounds)}; it must be a whole number from 1 to ${MAX_ROUNDS}.`);
  }
  const { long, profile } = values;
  if (long && name !== 'ingest') return usage(`${name} has no --long.`);
  if (profile && name !== 'ingest' && name !== 'feed') return usage(`${name} has no --profile.`);
  const bench = await open();
  mkdirSync(results, { recursive: true });
  const result = await bench({ rounds, long, profile, progress: (line) => process.stderr.write(`${line}\n`) });
  writeFileSync(join(results, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
  process.stdout.write(values.json ? `${JSON.stringify(result)}\n` : `\n${formatResult(result)}`);
}

function usage(problem: string): void {
  const names = Object.keys(benches).join('|');
  process.stderr.write(`${problem}\nUsage: npm run bench -- ${names} [--rounds N] [--long] [--profile] [--json]\n`);
  process.exitCode = 2;
}

await main();
