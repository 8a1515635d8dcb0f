import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Kafka, logLevel } from 'kafkajs';
import { openKafkaServer } from '../../../../deploy/local/kafka/server.ts';

const program = fileURLToPath(new URL('./member.ts', import.meta.url));

test('A member stopped past its session loses its partitions to another, and shares them again when it wakes', async () => {
  const server = await openKafkaServer();
  const kafka = new Kafka({ brokers: [server.address], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: 't', numPartitions: 2 }] });
  await admin.disconnect();

  const child = spawn(process.execPath, [program, server.address, 'g', 't'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const heir = kafka.consumer({ groupId: 'g', sessionTimeout: 5000, heartbeatInterval: 50, maxWaitTimeInMs: 20 });
  try {
    if (!child.stdout) throw new Error('The member was started without a pipe');
    const lines = createInterface(child.stdout);
    assert.deepEqual(await once(lines, 'line'), ['[0,1]']);
    child.kill('SIGSTOP');

    const assignments: number[][] = [];
    let wake: () => void = () => {};
    heir.on(heir.events.GROUP_JOIN, ({ payload }) => {
      assignments.push(payload.memberAssignment.t ?? []);
      wake();
    });
    const assignedTo = async (count: number): Promise<void> => {
      while (assignments.at(-1)?.length !== count) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    await heir.connect();
    await heir.subscribe({ topic: 't' });
    await heir.run({ eachMessage: async () => {} });
    await assignedTo(2);
    const woken = once(lines, 'line');
    child.kill('SIGCONT');
    await assignedTo(1);
    const [line] = (await woken) as [string];
    assert.deepEqual([...(JSON.parse(line) as number[]), ...(assignments.at(-1) ?? [])].sort(), [0, 1]);
  } finally {
    child.kill('SIGKILL');
    await heir.disconnect();
    await server.close();
  }
});
