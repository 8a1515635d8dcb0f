import { Kafka, logLevel } from 'kafkajs';

/** A group member in its own process, to be stopped: `node member.ts ADDRESS GROUP TOPIC` prints each assignment. */
const [address, groupId, topic] = process.argv.slice(2);
if (!address || !groupId || !topic) throw new Error('Usage: node member.ts ADDRESS GROUP TOPIC');
const kafka = new Kafka({ brokers: [address], logLevel: logLevel.NOTHING });
const consumer = kafka.consumer({ groupId, sessionTimeout: 500, heartbeatInterval: 50, maxWaitTimeInMs: 20 });
consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
  console.log(JSON.stringify(payload.memberAssignment[topic] ?? []));
});
await consumer.connect();
await consumer.subscribe({ topic });
await consumer.run({ eachMessage: async () => {} });
