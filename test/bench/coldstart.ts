import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Bench, benchResult, figureOf, type Round, saved } from './bench-result.ts';
import { buildSides } from './build-sides.ts';
import { type ColdstartStage, openColdstartStage } from './coldstart/coldstart-stage.ts';
import { timeStart } from './coldstart/time-start.ts';

const ROUNDS = 3;
const root = resolve(import.meta.dirname, '../..');
const FUNCTIONS = ['dashboard', 'kafka-sink', 'plan-epoch', 'pubsub-sink', 'read-shard', 'rotate-secrets'];

/** How a function is started. */
type Way =
  /** Its bundle, with a compile cache that an earlier start has filled. */
  | 'cached'
  /** Its bundle, without a cache. */
  | 'bundle'
  /** Its TypeScript source with the packages in `node_modules`, without a cache: the peer. */
  | 'source';

/**
 * From the start of a function's process to its first accepted answer, with all that the request opens: bundles with and
 * without Node's compile cache, against the same functions from their sources. The laptop's cloud is in the measuring process.
 */
export const benchColdstart: Bench = async ({ rounds: wanted = ROUNDS, progress }) => {
  const built = await buildSides(import.meta.dirname, [], FUNCTIONS);
  const { dist } = built;
  const dir = mkdtempSync(join(tmpdir(), 'penstock-bench-'));
  const stage = await openColdstartStage(dir);
  const start = (name: string, way: Way) =>
    startFunction(stage, name, way, { dist, cache: join(dir, 'compile-cache') });
  try {
    progress('filling the compile cache');
    for (const name of FUNCTIONS) {
      const { text } = await start(name, 'cached');
      if (name === 'plan-epoch') stage.useEpoch(epochOf(text));
    }
    const rounds: Round[] = [];
    for (let at = 1; at <= wanted; at += 1) {
      const ours: Record<string, number> = {};
      const peer: Record<string, number> = {};
      for (const name of FUNCTIONS) {
        ours[`${camel(name)}Ms`] = (await start(name, 'bundle')).milliseconds;
        peer[`${camel(name)}Ms`] = (await start(name, 'source')).milliseconds;
        ours[`${camel(name)}CachedMs`] = (await start(name, 'cached')).milliseconds;
      }
      progress(`round ${at} of ${wanted} done`);
      rounds.push({ ours, peer });
    }
    return benchResult('coldstart', rounds, Object.fromEntries(FUNCTIONS.flatMap((name) => ratiosOf(camel(name)))));
  } finally {
    await stage.close();
    built.remove();
    rmSync(dir, { recursive: true, force: true });
  }
};

function ratiosOf(name: string): [string, (round: Round) => number][] {
  const cached = ({ ours }: Round): number => figureOf(ours, `${name}Ms`) / figureOf(ours, `${name}CachedMs`);
  return [
    [name, saved(`${name}Ms`)],
    [`${name}CompileCache`, cached],
  ];
}

async function startFunction(
  stage: ColdstartStage,
  name: string,
  way: Way,
  { dist, cache }: { readonly dist: string; readonly cache: string },
) {
  const request = stage.requests[name];
  if (!request) throw new Error(`There is no first request for ${name}`);
  const source = way === 'source' ? join(root, 'functions', name, 'index.ts') : join(dist, name);
  const env = way === 'cached' ? { ...stage.env, NODE_COMPILE_CACHE: cache } : stage.env;
  return timeStart({ name, source, env, request: request(), authorization: await stage.authorization() });
}

function epochOf(text: string): string {
  const { epoch }: { epoch?: string } = JSON.parse(text);
  if (!epoch) throw new Error(`plan-epoch named no epoch: ${text}`);
  return epoch;
}

function camel(name: string): string {
  return name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
