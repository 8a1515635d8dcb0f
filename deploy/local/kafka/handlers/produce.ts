import { KafkaError } from '../engine/kafka-error.ts';
import { effectiveSetting } from '../engine/topic-config.ts';
import type { ProducerIdentity } from '../engine/transactions.ts';
import type { RequestOf, ResponseOf } from '../protocol/api.ts';
import { type ErrorCode, errorCode } from '../protocol/error-code.ts';
import type { produce } from '../protocol/produce.ts';
import type { Call } from './route.ts';

const ZSTD_FROM_VERSION = 7;

type Request = RequestOf<typeof produce>;
type PartitionAnswer = ResponseOf<typeof produce>['topics'][number]['partitions'][number];

/**
 * Answers Produce; with acks 0 the client wants no answer.
 *
 * @throws {KafkaError} a batch with acks 0 was refused: only a closed connection can tell its producer
 */
export function answerProduce(request: Request, call: Call): ResponseOf<typeof produce> | undefined {
  const topics = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map((partition) => append(request, name, partition, call)),
  }));
  if (request.acks !== 0) return { topics };
  const failed = topics.flatMap(({ partitions }) => partitions).find((answer) => answer.errorCode !== errorCode.none);
  if (failed) throw new KafkaError(errorCode.unknownServerError, `A batch with acks 0: ${failed.errorMessage}`);
  return undefined;
}

function append(
  { acks, transactionalId }: Request,
  topicName: string,
  { index, records }: Request['topics'][number]['partitions'][number],
  { broker, version }: Call,
): PartitionAnswer {
  if (acks < -1 || acks > 1) return refused(index, errorCode.invalidRequiredAcks, `acks ${acks} is not -1, 0 or 1`);
  const topic = broker.topics.named(topicName);
  const partition = topic?.partitions[index];
  if (!topic || !partition) {
    return refused(index, errorCode.unknownTopicOrPartition, `There is no partition ${topicName}-${index}`);
  }
  if (records === null) return refused(index, errorCode.invalidRecord, 'No records were sent');
  try {
    const maxMessageBytes = Number(effectiveSetting(topic.config, 'max.message.bytes'));
    const zstdAllowed = version >= ZSTD_FROM_VERSION;
    const admit = (producer: ProducerIdentity): void => {
      const error = broker.transactions.mayProduce(transactionalId, producer, topicName, index);
      if (error !== errorCode.none)
        throw new KafkaError(error, `${topicName}-${index} is in no transaction of this producer`);
    };
    const { baseOffset } = partition.produce(records, { maxMessageBytes, zstdAllowed, admit });
    const logStartOffset = partition.log.startOffset;
    return { index, errorCode: errorCode.none, baseOffset, logAppendTimeMs: -1, logStartOffset };
  } catch (error) {
    if (error instanceof KafkaError) return refused(index, error.code, error.message);
    throw error;
  }
}

function refused(index: number, code: ErrorCode, errorMessage: string): PartitionAnswer {
  return { index, errorCode: code, baseOffset: -1, logAppendTimeMs: -1, logStartOffset: -1, errorMessage };
}
