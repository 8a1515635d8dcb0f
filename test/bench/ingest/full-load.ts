import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin } from 'kafkajs';
import { kafkajsClient } from '../../../shared/adapters/kafka/kafkajs-client.ts';
import { openFlightMessages } from './flight-messages.ts';

/** More than is committed while the group's offsets are asked for: the sink always has work. */
const UNDER_WAY = 40_000;
const REQUEST_RECORDS = 500;
const LOOK_MS = 20;
/** Warms producer, servers and sink up, and does not count. */
const WARM_UP_MS = 4_000;

/**
 * Sends flights as fast as a sink commits them for some seconds, so that producer, brokers, sink and Spanner together do what
 * they can at most. Prints how many rows were committed each second.
 */
async function sendFully([brokers = '', topic = '', group = '', seconds = '']: readonly string[]): Promise<void> {
  const messages = await openFlightMessages();
  const kafka = kafkajsClient({ clientId: 'bench-full', brokers: [brokers] });
  const [producer, admin] = [kafka.producer(), kafka.admin()];
  await Promise.all([producer.connect(), admin.connect()]);
  const startedAt = performance.now();
  const waiting = new Set<Promise<unknown>>();
  let sent = 0;
  let committed = 0;
  let counted: { readonly rows: number; readonly at: number } | undefined;
  while (performance.now() < startedAt + Number(seconds) * 1000) {
    for (; sent < committed + UNDER_WAY; sent += REQUEST_RECORDS) {
      const due = messages(sent, sent + REQUEST_RECORDS, Date.now());
      const request = producer.send({ topic, acks: -1, messages: due }).finally(() => waiting.delete(request));
      waiting.add(request);
    }
    await sleep(LOOK_MS);
    committed = await committedRows(admin, group, topic);
    const at = performance.now();
    if (at >= startedAt + WARM_UP_MS) counted ??= { rows: committed, at };
  }
  if (!counted) throw new Error(`Nothing is counted within ${seconds} s: the first ${WARM_UP_MS} ms warm up`);
  const rowsPerSecond = (committed - counted.rows) / ((performance.now() - counted.at) / 1000);
  await Promise.all(waiting);
  await Promise.all([producer.disconnect(), admin.disconnect()]);
  process.stdout.write(`${JSON.stringify({ sent, rowsPerSecond })}\n`);
}

async function committedRows(admin: Admin, group: string, topic: string): Promise<number> {
  const [found] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
  return found?.partitions.reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0) ?? 0;
}

await sendFully(process.argv.slice(2));
