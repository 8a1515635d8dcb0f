import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { kafkajsClient } from '../../../shared/adapters/kafka/kafkajs-client.ts';
import { openFlightMessages } from './flight-messages.ts';
import { PARTITIONS } from './topic.ts';

/** Records of one partition that were sent in one request, and so have one timestamp. */
export interface SentRecords {
  readonly partition: number;
  readonly fromOffset: number;
  readonly count: number;
  readonly sentAtMs: number;
}

const TICK_MS = 10;
/** Of one request: what has piled up while the machine was busy stays below the broker's limit. */
const MAX_RECORDS = 2_000;
/** A broker that is slower than the rate must not fill the memory. */
const MAX_REQUESTS = 200;

/**
 * Sends flights at a steady rate for some seconds: at each tick what is due by now, without waiting for the answers of
 * earlier ticks. Writes which offsets were sent when to a file, and prints the rate that was reached.
 */
async function sendSteadily([
  brokers = '',
  topic = '',
  rowsPerSecond = '',
  seconds = '',
  file = '',
]: readonly string[]) {
  const messages = await openFlightMessages();
  const producer = kafkajsClient({ clientId: 'bench-steady', brokers: [brokers] }).producer();
  await producer.connect();
  const sent: SentRecords[] = [];
  const waiting = new Set<Promise<void>>();
  const send = async (from: number, to: number): Promise<void> => {
    const sentAtMs = Date.now();
    const due = messages(from, to, sentAtMs);
    const counts = new Array<number>(PARTITIONS).fill(0);
    for (const { partition } of due) counts[partition] = (counts[partition] ?? 0) + 1;
    for (const { partition, baseOffset } of await producer.send({ topic, acks: -1, messages: due })) {
      sent.push({ partition, fromOffset: Number(baseOffset), count: counts[partition] ?? 0, sentAtMs });
    }
  };
  const total = Number(rowsPerSecond) * Number(seconds);
  const startedAt = performance.now();
  for (let done = 0; done < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1000) * Number(rowsPerSecond)));
    while (due > done) {
      const to = Math.min(due, done + MAX_RECORDS);
      const request = send(done, to).finally(() => waiting.delete(request));
      waiting.add(request);
      done = to;
    }
    if (waiting.size >= MAX_REQUESTS) throw new Error(`The broker owes ${waiting.size} answers: the rate is too high`);
    await sleep(TICK_MS);
  }
  const lastsSeconds = (performance.now() - startedAt) / 1000;
  await Promise.all(waiting);
  await producer.disconnect();
  writeFileSync(file, JSON.stringify(sent));
  process.stdout.write(`${JSON.stringify({ sent: total, rowsPerSecond: total / lastsSeconds })}\n`);
}

await sendSteadily(process.argv.slice(2));
