import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Admin } from 'kafkajs';
import { busiestThread, profilingArgs } from '../profile/busiest-thread.ts';
import { flameGraph } from '../profile/flame-graph.ts';
import { profileReport } from '../profile/profile-report.ts';
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
  await withSink({ command, nodeArgs: profilingArgs(dir), env }, async ({ lives, stop }) => {
    await reachRows(admin, { group, topic, rows, lives });
    await stop();
  });
  const root = busiestThread(dir);
  rmSync(dir, { recursive: true });
  const title = `kafka-sink over ${rows} events of real flights, from its start to its end`;
  writeFileSync(join(run.results, 'ingest-profile.txt'), `${title}\n${profileReport(root, sinkPart)}`);
  writeFileSync(join(run.results, 'ingest-flame.svg'), flameGraph(root, title, sinkPart));
}
