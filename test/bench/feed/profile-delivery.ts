import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { busiestThread, profilingArgs } from '../profile/busiest-thread.ts';
import { flameGraph } from '../profile/flame-graph.ts';
import { profileReport } from '../profile/profile-report.ts';
import { runChild } from '../run-child.ts';
import { feedPart } from './feed-parts.ts';

/** As many that the start of the process, and V8's compiling, are little of the profile. */
const PASSES = 16;

export interface ProfiledDelivery {
  /** The built `pipeline-side`. */
  readonly script: string;
  readonly manifest: string;
  readonly trainer: string;
  readonly env: Readonly<Record<string, string>>;
  /** Rows of the recording. */
  readonly rows: number;
  readonly dir: string;
  /** Where the report and the flame graph are kept. */
  readonly results: string;
}

/** Delivers the recording some more times, uncounted, with V8's profiler; keeps what the thread did. */
export async function profileDelivery(run: ProfiledDelivery): Promise<void> {
  const dir = join(run.dir, 'profile');
  mkdirSync(dir);
  const args = ['ours', run.manifest, run.trainer, String(PASSES)];
  await runChild(run.script, args, { env: run.env, nodeArgs: profilingArgs(dir) });
  const root = busiestThread(dir);
  rmSync(dir, { recursive: true });
  const title = `read-shard over ${2 * PASSES} deliveries of ${run.rows} flights, from Spanner's bytes to answered PUTs`;
  writeFileSync(join(run.results, 'feed-profile.txt'), `${title}\n${profileReport(root, feedPart)}`);
  writeFileSync(join(run.results, 'feed-flame.svg'), flameGraph(root, title, feedPart));
}
