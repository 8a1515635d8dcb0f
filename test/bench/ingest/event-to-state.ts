import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from '@google-cloud/spanner';
import { createTopic } from '../../../deploy/cli/stack/create-topic.ts';
import { kafkajsClient } from '../../../shared/adapters/kafka/kafkajs-client.ts';
import { type Figures, figureOf } from '../bench-result.ts';
import { runChild } from '../run-child.ts';
import { quantile } from '../statistics.ts';
import { withServers } from './bench-servers.ts';
import { eventLatencies, type LineageRow } from './event-latencies.ts';
import { openFlightMessages } from './flight-messages.ts';
import type { RunTarget } from './ingest-stage.ts';
import { reachRows } from './reach-rows.ts';
import type { SentRecords } from './steady-producer.ts';
import { PARTITIONS } from './topic.ts';
import { type SinkCommand, withSink } from './with-sink.ts';

const SECONDS = 12;
/** What is sent in the first seconds warms the sink up and does not count. */
const WARM_UP_MS = 4_000;

export interface EventToStateRun {
  /** How to start a sink on a database. */
  readonly sinkOn: (target: RunTarget) => SinkCommand;
  /** The built `full-load` and `steady-producer`. */
  readonly fullLoad: string;
  readonly steadyProducer: string;
  readonly dir: string;
  readonly runs: number;
  readonly progress: (line: string) => void;
}

/**
 * How long an event takes from its sending to the commit timestamp of its row, at half of what producer, brokers, sink and
 * Spanner bear together. They share one clock.
 *
 * Each run has servers of its own: those of the other figures hold millions of old rows, and what their memory costs them is
 * no part of the way.
 */
export async function measureEventToState(run: EventToStateRun): Promise<Figures[]> {
  run.progress('full load, with its producer');
  const full = await produceInto(run, (target, ofTopic, brokers) => ({
    script: run.fullLoad,
    args: [brokers, ofTopic, target.group, String(SECONDS)],
  }));
  const fullLoadRowsPerSecond = figureOf(full, 'rowsPerSecond');
  const rate = Math.round(fullLoadRowsPerSecond / 2);
  const figures: Figures[] = [];
  for (let at = 1; at <= run.runs; at += 1) {
    run.progress(`event to state at ${rate} events/s: ${at} of ${run.runs}`);
    figures.push({ ...(await measureAt(run, rate)), fullLoadRowsPerSecond });
  }
  return figures;
}

async function measureAt(run: EventToStateRun, rate: number): Promise<Figures> {
  const file = join(run.dir, 'sent.json');
  let lineage: LineageRow[] = [];
  const { rowsPerSecond = 0 } = await produceInto(
    run,
    (_, ofTopic, brokers) => ({
      script: run.steadyProducer,
      args: [brokers, ofTopic, String(rate), String(SECONDS), file],
    }),
    async ({ database }) => {
      lineage = await readLineage(database);
    },
  );
  const all: SentRecords[] = JSON.parse(readFileSync(file, 'utf8'));
  const firstAtMs = all.reduce((least, { sentAtMs }) => Math.min(least, sentAtMs), Infinity);
  const counted = all.filter(({ sentAtMs }) => sentAtMs >= firstAtMs + WARM_UP_MS);
  const milliseconds = eventLatencies(counted, lineage);
  return {
    eventToStateP50Ms: quantile(milliseconds, 0.5),
    eventToStateP99Ms: quantile(milliseconds, 0.99),
    eventToStateRowsPerSecond: rowsPerSecond,
  };
}

/** Runs a producer with a sink behind it, on fresh servers, until the sink is through. */
async function produceInto(
  run: EventToStateRun,
  producerOn: (
    target: RunTarget,
    ofTopic: string,
    brokers: string,
  ) => { readonly script: string; readonly args: readonly string[] },
  look: (target: RunTarget) => Promise<void> = async () => {},
): Promise<Figures> {
  return await withServers(run.dir, async ({ brokers, admin, targets }) => {
    const ofTopic = 'flights-live';
    await createTopic([brokers], { name: ofTopic, partitions: PARTITIONS, maxMessageBytes: 1024 * 1024 });
    const target = await targets.next(ofTopic);
    const { script, args } = producerOn(target, ofTopic, brokers);
    const produced = await withSink(run.sinkOn(target), async ({ lives, stop }) => {
      const reach = (rows: number) => reachRows(admin, { group: target.group, topic: ofTopic, rows, lives });
      await sendFirst(brokers, ofTopic);
      await reach(PARTITIONS);
      const figures = await runChild(script, args);
      await reach(PARTITIONS + (figures.sent ?? 0));
      await stop();
      return figures;
    });
    await look(target);
    return produced;
  });
}

/** One event a partition: a sink that has committed them holds all partitions before the load begins. */
async function sendFirst(brokers: string, ofTopic: string): Promise<void> {
  const messages = await openFlightMessages();
  const producer = kafkajsClient({ clientId: 'bench-first', brokers: [brokers] }).producer();
  await producer.connect();
  await producer.send({ topic: ofTopic, acks: -1, messages: messages(0, PARTITIONS, Date.now()) });
  await producer.disconnect();
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
