import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RecordFeed, type RecordTransport } from '../../../../../shared/adapters/kafka/fetch/record-feed.ts';
import { BrokerUnreachableError, kafkaCode } from '../../../../../shared/adapters/kafka/kafka-errors.ts';
import { FetchedRecords } from '../../../../../shared/adapters/kafka/records/fetched-records.ts';
import type { FetchAnswer } from '../../../../../shared/adapters/kafka/wire/fetch.ts';
import { noLog } from '../../../../../shared/base/log.ts';
import { at, kafkajsBatch, type SentRecord } from '../records/sent-records.ts';

const TOPIC_ID = '4d8a2a61-1f4b-4a52-9d4c-9d53a9a7d6c1';
const PARTITIONS = [0, 1, 2];
const BATCH_RECORDS = 2;
const DEADLINE_MS = 60_000;

const refusals = [
  'notLeaderOrFollower',
  'leaderNotAvailable',
  'fencedLeaderEpoch',
  'unknownLeaderEpoch',
  'replicaNotAvailable',
  'kafkaStorageError',
  'unknownTopicOrPartition',
] as const;

/** What happens between two fetches: a partition's leader moves, or a broker goes or comes back. */
const event = fc.oneof(
  fc.record({
    kind: fc.constant('move' as const),
    partition: fc.constantFrom(...PARTITIONS),
    node: fc.nat({ max: 2 }),
  }),
  fc.record({ kind: fc.constant('down' as const), node: fc.nat({ max: 2 }) }),
  fc.record({ kind: fc.constant('quiet' as const) }),
);
const course = fc.record({
  events: fc.array(event, { maxLength: 12 }),
  refusal: fc.constantFrom(...refusals),
  /** How many looks at the metadata still tell the leader of before. */
  staleLooks: fc.nat({ max: 2 }),
});
type Course = typeof course extends fc.Arbitrary<infer T> ? T : never;

/** Three brokers as their protocol describes them: only a partition's leader gives its records. */
class Brokers implements RecordTransport {
  readonly batches: Buffer[] = [];
  private readonly course: Course;
  private readonly events: Course['events'];
  private readonly leaders = new Map(PARTITIONS.map((partition) => [partition, { node: partition % 3, epoch: 0 }]));
  private told = new Map(this.leaders);
  private lag = 0;
  private down: number | undefined;

  constructor(course: Course) {
    this.course = course;
    this.events = [...course.events];
  }

  async metadata() {
    // The broker that is down comes back as soon as somebody looks around.
    this.down = undefined;
    if (this.lag > 0) this.lag -= 1;
    else this.told = new Map(this.leaders);
    const partitions = [...this.told].map(([partition, { node, epoch }]) => {
      return { partition, leader: node, leaderEpoch: epoch };
    });
    return { topics: new Map([['t', { topic: 't', topicId: TOPIC_ID, isInternal: false, partitions }]]) };
  }

  async fetch(node: number, wishes: Parameters<RecordTransport['fetch']>[1]): Promise<FetchAnswer[]> {
    const next = this.events.shift();
    if (next?.kind === 'move') {
      const { epoch = 0 } = this.leaders.get(next.partition) ?? {};
      this.leaders.set(next.partition, { node: next.node, epoch: epoch + 1 });
      this.lag = this.course.staleLooks;
    }
    if (next?.kind === 'down') this.down = next.node;
    if (node === this.down) throw new BrokerUnreachableError(`Broker ${node} is down`);
    await new Promise(setImmediate);
    return wishes.map(({ partition, leaderEpoch, offset }) => {
      const leader = this.leaders.get(partition);
      const isLeader = leader?.node === node && leader.epoch === leaderEpoch;
      const batch = this.batches[Number(offset) / BATCH_RECORDS];
      const bytes = isLeader && batch ? at(offset, batch) : Buffer.alloc(0);
      return {
        topicId: TOPIC_ID,
        partition,
        code: isLeader ? kafkaCode.none : kafkaCode[this.course.refusal],
        highWatermark: BigInt(this.batches.length * BATCH_RECORDS),
        read: (origin) => new FetchedRecords({ ...origin, bytes, aborted: [] }),
      };
    });
  }
}

test('records come once and in order, however leaders move between brokers and brokers go and come back', async () => {
  await fc.assert(
    fc.asyncProperty(course, async (course) => {
      const brokers = new Brokers(course);
      for (let batch = 0; batch < 8; batch++) {
        const records = Array.from({ length: BATCH_RECORDS }, (_, n): SentRecord => {
          return { key: null, value: Buffer.from(`${batch * BATCH_RECORDS + n}`), headers: [], timestampMs: 5 };
        });
        brokers.batches.push(await kafkajsBatch(records, 0));
      }
      const wanted = Array.from({ length: brokers.batches.length * BATCH_RECORDS }, (_, n) => `${n}`);
      const came = new Map(PARTITIONS.map((partition) => [partition, [] as string[]]));
      const all = Promise.withResolvers<void>();
      const feed = new RecordFeed({
        transport: brokers,
        maxWaitMs: 5,
        log: noLog,
        handlers: {
          onBatch: async ({ partition, records }) => {
            came.get(partition)?.push(...records.map(({ value }) => String(value)));
            if ([...came.values()].every(({ length }) => length >= wanted.length)) all.resolve();
          },
          onPositionLost: ({ partition }) => all.reject(new Error(`The position in ${partition} was lost`)),
          onEnded: all.reject,
        },
      });
      feed.assign(PARTITIONS.map((partition) => ({ topic: 't', partition, kept: false })));
      for (const partition of PARTITIONS) feed.seek({ topic: 't', partition }, 0n);
      const timer = setTimeout(() => all.reject(new Error(`Came: ${JSON.stringify([...came])}`)), DEADLINE_MS);
      try {
        await all.promise;
      } finally {
        clearTimeout(timer);
        await feed.stop();
        await feed.stopped();
      }
      for (const partition of PARTITIONS) assert.deepEqual(came.get(partition), wanted);
    }),
    { numRuns: 30 },
  );
});
