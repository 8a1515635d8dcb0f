import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Admin } from 'kafkajs';
import { flameGraph } from '../profile/flame-graph.ts';
import { profileReport } from '../profile/profile-report.ts';
import { type ProfileNode, readProfile } from '../profile/read-profile.ts';
import { reachRows } from './reach-rows.ts';
import { sinkPart } from './sink-parts.ts';
import { type SinkCommand, withSink } from './with-sink.ts';

export interface ProfiledRun extends SinkCommand {
  readonly group: string;
  readonly topic: string;
  /** How many events the topic holds. */
  readonly rows: number;
  readonly dir: string;
  /** Where the report and the flame graph are kept. */
  readonly results: string;
}

/** Runs a sink once more over the topic, uncounted, with V8's profiler; keeps what its busiest thread did. */
export async function profileSink(admin: Admin, run: ProfiledRun): Promise<void> {
  const { group, topic, rows, command, env } = run;
  const dir = join(run.dir, 'profile');
  mkdirSync(dir);
  const nodeArgs = ['--cpu-prof', `--cpu-prof-dir=${dir}`, '--cpu-prof-interval=500'];
  await withSink({ command, nodeArgs, env }, async ({ lives, stop }) => {
    await reachRows(admin, { group, topic, rows, lives });
    await stop();
  });
  const root = busiest(dir);
  rmSync(dir, { recursive: true });
  const title = `kafka-sink over ${rows} events of real flights, from its start to its end`;
  writeFileSync(join(run.results, 'ingest-profile.txt'), `${title}\n${profileReport(root, sinkPart)}`);
  writeFileSync(join(run.results, 'ingest-flame.svg'), flameGraph(root, title, sinkPart));
}

function busiest(dir: string): ProfileNode {
  const roots = readdirSync(dir).map((file) => readProfile(JSON.parse(readFileSync(join(dir, file), 'utf8'))));
  const [first, ...others] = roots;
  if (!first) throw new Error('The sink wrote no profile');
  return others.reduce((most, root) => (root.totalMicros > most.totalMicros ? root : most), first);
}
