import kafkajs, { type Admin, type Producer } from 'kafkajs';
import { type KafkaServer, openKafkaServer } from '../../../../deploy/local/kafka/server.ts';
import { registerCompressionCodecs } from '../../../../shared/adapters/kafka/compression-codecs.ts';
import type {
  AssignedPartition,
  KafkaDriver,
  PartitionBatch,
  Subscription,
  TopicPartition,
  TopicSource,
} from '../../../../shared/adapters/kafka/driver.ts';
import type { KafkaAccess } from '../../../../shared/adapters/kafka/kafka-auth.ts';
import { type DriverName, openKafkaDriver } from '../../../../shared/adapters/kafka/open-driver.ts';
import { noLog } from '../../../../shared/base/log.ts';

/** Of a busy machine. */
const DEADLINE_MS = 90_000;
const LOOK_EVERY_MS = 100;

/** How brokers without any protection are spoken to. */
export function plainAccess(address: string): KafkaAccess {
  return { brokers: [address], tls: undefined, auth: undefined };
}

export function openDriver(driver: DriverName, address: string): Promise<KafkaDriver> {
  return openKafkaDriver({
    driver,
    access: plainAccess(address),
    clientId: 'test',
    log: noLog,
    lookEveryMs: LOOK_EVERY_MS,
  });
}

/** A broker with kafkajs' own administrator and producer beside it. */
export interface KafkaFixture extends AsyncDisposable {
  readonly server: KafkaServer;
  readonly admin: Admin;
  readonly producer: Producer;
  readonly client: kafkajs.Kafka;
  create(topic: string, partitions?: number): Promise<void>;
  /** Sends texts to one partition. */
  send(topic: string, partition: number, ...values: readonly string[]): Promise<void>;
}

export async function openKafka(server?: KafkaServer): Promise<KafkaFixture> {
  registerCompressionCodecs();
  const own = server ?? (await openKafkaServer());
  const client = new kafkajs.Kafka({ brokers: [own.address], logLevel: kafkajs.logLevel.NOTHING });
  const admin = client.admin();
  const producer = client.producer();
  await Promise.all([admin.connect(), producer.connect()]);
  return {
    server: own,
    admin,
    producer,
    client,
    async create(topic, numPartitions = 1) {
      await admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: true });
    },
    async send(topic, partition, ...values) {
      await producer.send({ topic, messages: values.map((value) => ({ partition, value })) });
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([admin.disconnect(), producer.disconnect()]);
      if (!server) await own.close();
    },
  };
}

/** A subscription that writes down what it is told. */
export class Recorder {
  readonly batches: PartitionBatch[] = [];
  readonly assignments: (readonly AssignedPartition[])[] = [];
  readonly lost: TopicPartition[] = [];
  ended: Error | undefined;
  /** Called in each batch, and waited for. */
  during: (batch: PartitionBatch) => Promise<void> = async () => {};
  /** Where new partitions begin. */
  startOf: (partition: TopicPartition) => bigint = () => 0n;
  subscription: Subscription | undefined;
  private wake = Promise.withResolvers<void>();

  async subscribe(
    driver: KafkaDriver,
    topics: TopicSource,
    { group = 'g', maxWaitMs = 20, sessionTimeoutMs = 3_000 } = {},
  ): Promise<this> {
    const tell = (): void => {
      this.wake.resolve();
      this.wake = Promise.withResolvers();
    };
    this.subscription = await driver.subscribe(
      { group, topics, maxWaitMs, sessionTimeoutMs },
      {
        onAssigned: (partitions, subscription) => {
          this.assignments.push(partitions);
          for (const one of partitions) if (!one.kept) subscription.seek(one, this.startOf(one));
          tell();
        },
        onBatch: async (batch) => {
          this.batches.push(batch);
          tell();
          await this.during(batch);
        },
        onPositionLost: (partition) => {
          this.lost.push(partition);
          tell();
        },
        onEnded: (error) => {
          this.ended = error;
          tell();
        },
      },
    );
    return this;
  }

  /** What came, in order of arrival; each record once, however often the driver fetched it. */
  values(of?: TopicPartition): string[] {
    const seen = new Map<string, string>();
    for (const { topic, partition, records } of this.batches) {
      if (of && (of.topic !== topic || of.partition !== partition)) continue;
      for (const { offset, value } of records) seen.set(`${topic}/${partition}/${offset}`, String(value));
    }
    return [...seen.values()];
  }

  held(): string[] {
    return (this.assignments.at(-1) ?? []).map(({ topic, partition }) => `${topic}/${partition}`).sort();
  }

  /** @throws when it does not come true in time */
  async until(what: string, isTrue: () => boolean): Promise<void> {
    const timer = setTimeout(() => this.wake.reject(new Error(`Waited in vain until ${what}`)), DEADLINE_MS);
    try {
      while (!isTrue()) {
        if (this.ended) throw this.ended;
        await this.wake.promise;
      }
    } finally {
      clearTimeout(timer);
    }
  }
}
