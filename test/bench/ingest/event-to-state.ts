import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from '@google-cloud/spanner';
import type { Admin } from 'kafkajs';
import { createTopic } from '../../../deploy/cli/stack/create-topic.ts';
import type { Figures } from '../bench-result.ts';
import { runChild } from '../run-child.ts';
import { quantile } from '../statistics.ts';
import { eventLatencies, type LineageRow } from './event-latencies.ts';
import { reachRows } from './reach-rows.ts';
import type { SentRecords } from './steady-producer.ts';
import { PARTITIONS } from './topic.ts';
import { type SinkCommand, withSink } from './with-sink.ts';

const SECONDS = 14;
/** What is sent in the first seconds warms the sink up and does not count. */
const WARM_UP_MS = 4_000;
/** The producer, the brokers and Spanner share the machine with the sink. */
const MAX_ROWS_PER_SECOND = 20_000;

export interface SteadyRun extends SinkCommand {
  readonly database: Database;
  readonly group: string;
  /** An own topic: it is created here. */
  readonly topic: string;
  /** The built `steady-producer`. */
  readonly producer: string;
  readonly brokers: string;
  /** The most that the sink takes; it is given half of it. */
  readonly maxRowsPerSecond: number;
  readonly dir: string;
}

/**
 * How long an event takes from its sending to the commit timestamp of its row, at half of the sink's most. Producer, broker,
 * sink and Spanner share one clock.
 */
export async function measureEventToState(admin: Admin, run: SteadyRun): Promise<Figures> {
  const { group, topic, brokers } = run;
  const rate = Math.min(MAX_ROWS_PER_SECOND, Math.round(run.maxRowsPerSecond / 2));
  const file = join(run.dir, 'sent.json');
  await createTopic([brokers], { name: topic, partitions: PARTITIONS, maxMessageBytes: 1024 * 1024 });
  const { rowsPerSecond = 0 } = await withSink(run, async ({ lives, stop }) => {
    const produced = await runChild(run.producer, [brokers, topic, String(rate), String(SECONDS), file]);
    await reachRows(admin, { group, topic, rows: produced.sent ?? 0, lives });
    await stop();
    return produced;
  });
  const all: SentRecords[] = JSON.parse(readFileSync(file, 'utf8'));
  const firstAtMs = all.reduce((least, { sentAtMs }) => Math.min(least, sentAtMs), Infinity);
  const counted = all.filter(({ sentAtMs }) => sentAtMs >= firstAtMs + WARM_UP_MS);
  const milliseconds = eventLatencies(counted, await readLineage(run.database));
  return {
    eventToStateP50Ms: quantile(milliseconds, 0.5),
    eventToStateP99Ms: quantile(milliseconds, 0.99),
    eventToStateRowsPerSecond: rowsPerSecond,
  };
}

async function readLineage(database: Database): Promise<LineageRow[]> {
  const [rows] = await database.run({
    sql: 'SELECT PartitionId, FromOffset, ToOffset, UNIX_MICROS(CommittedAt) AS Micros FROM PenstockLineage',
    json: true,
  });
  return rows.map((row) => {
    const { PartitionId, FromOffset, ToOffset, Micros } = Object(row);
    return {
      partition: Number(PartitionId),
      fromOffset: Number(FromOffset),
      toOffset: Number(ToOffset),
      committedAtMs: Number(Micros) / 1000,
    };
  });
}
