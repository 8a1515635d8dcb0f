import { kafkajsApi, type RawClient } from './raw-client.ts';

/** What a partition answers to Produce. */
export interface Produced {
  readonly errorCode: number;
  readonly baseOffset: string;
}

interface ProduceOptions {
  acks: number;
  timeout: number;
  transactionalId?: string | null;
  producerId?: number;
  producerEpoch?: number;
  compression: number;
  topicData: {
    topic: string;
    partitions: { partition: number; firstSequence: number; messages: { value: Buffer }[] }[];
  }[];
}

/** Produce version 7, encoded by kafkajs. */
export const produceV7 = kafkajsApi<ProduceOptions, { topics: { topicName: string; partitions: Produced[] }[] }>(
  'produce',
  7,
);

/** A produce request of one batch for one partition. */
export function batchRequest(options: {
  topic: string;
  partition?: number;
  values: readonly string[];
  producer?: { producerId: number; producerEpoch: number; firstSequence: number };
}): ProduceOptions {
  const { producerId, producerEpoch, firstSequence } = options.producer ?? {
    producerId: -1,
    producerEpoch: -1,
    firstSequence: -1,
  };
  const messages = options.values.map((value) => ({ value: Buffer.from(value) }));
  const partitions = [{ partition: options.partition ?? 0, firstSequence, messages }];
  return {
    acks: -1,
    timeout: 1000,
    transactionalId: null,
    producerId,
    producerEpoch,
    compression: 0,
    topicData: [{ topic: options.topic, partitions }],
  };
}

/** The answer for the only partition of a request. */
export async function produced(answer: Promise<{ topics: { partitions: Produced[] }[] }>): Promise<Produced> {
  const only = (await answer).topics[0]?.partitions[0];
  if (!only) throw new Error('The answer to Produce names no partition');
  return only;
}

/** A producer id from the broker. */
export async function newProducer(client: RawClient): Promise<{ producerId: number; producerEpoch: number }> {
  const api = kafkajsApi<
    { transactionalId: string | null; transactionTimeout: number },
    { producerId: string; producerEpoch: number }
  >('initProducerId', 1);
  const answer = await client.call(api, { transactionalId: null, transactionTimeout: 1000 });
  return { producerId: Number(answer.producerId), producerEpoch: answer.producerEpoch };
}
