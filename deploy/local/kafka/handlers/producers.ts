import { KafkaError } from '../engine/kafka-error.ts';
import type { RequestOf, ResponseOf } from '../protocol/api.ts';
import { type ErrorCode, errorCode } from '../protocol/error-code.ts';
import type { initProducerId } from '../protocol/producers.ts';
import type { addOffsetsToTxn, addPartitionsToTxn, endTxn, txnOffsetCommit } from '../protocol/transactions.ts';
import { refuseCommit } from './offsets.ts';
import type { Call } from './route.ts';

/** Answers InitProducerId, with and without a transactional id. */
export function answerInitProducerId(
  request: RequestOf<typeof initProducerId>,
  { broker, version }: Call,
): ResponseOf<typeof initProducerId> {
  const { transactionalId, transactionTimeoutMs, producerId, producerEpoch } = request;
  try {
    const known = producerId < 0 ? undefined : { producerId, producerEpoch };
    const producer =
      transactionalId === null
        ? broker.transactions.newProducer()
        : broker.transactions.begin(transactionalId, transactionTimeoutMs, known);
    return { throttleTimeMs: 0, errorCode: errorCode.none, ...producer };
  } catch (error) {
    return { throttleTimeMs: 0, errorCode: codeOf(error, version >= 4), producerId: -1, producerEpoch: -1 };
  }
}

/** Answers AddPartitionsToTxn: all of the partitions or none. */
export function answerAddPartitionsToTxn(
  { transactionalId, topics, ...producer }: RequestOf<typeof addPartitionsToTxn>,
  { broker, version }: Call,
): ResponseOf<typeof addPartitionsToTxn> {
  const wanted = topics.flatMap(({ name, partitions }) => partitions.map((index) => [name, index] as const));
  const isMissing = (name: string, index: number): boolean => !broker.topics.named(name)?.partitions[index];
  const someMissing = wanted.some(([name, index]) => isMissing(name, index));
  const error = someMissing
    ? errorCode.operationNotAttempted
    : attempt(() => broker.transactions.addPartitions(transactionalId, producer, wanted), version >= 2);
  return {
    throttleTimeMs: 0,
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map((partitionIndex) => ({
        partitionIndex,
        errorCode: isMissing(name, partitionIndex) ? errorCode.unknownTopicOrPartition : error,
      })),
    })),
  };
}

/** Answers AddOffsetsToTxn. */
export function answerAddOffsetsToTxn(
  { transactionalId, groupId, ...producer }: RequestOf<typeof addOffsetsToTxn>,
  { broker, version }: Call,
): ResponseOf<typeof addOffsetsToTxn> {
  const error = attempt(() => broker.transactions.addGroup(transactionalId, producer, groupId), version >= 2);
  return { throttleTimeMs: 0, errorCode: error };
}

/** Answers EndTxn. */
export function answerEndTxn(
  { transactionalId, committed, ...producer }: RequestOf<typeof endTxn>,
  { broker, version }: Call,
): ResponseOf<typeof endTxn> {
  const marker = committed ? 'commit' : 'abort';
  const error = attempt(() => broker.transactions.finish(transactionalId, producer, marker), version >= 2);
  return { throttleTimeMs: 0, errorCode: error };
}

/** Answers TxnOffsetCommit: a member of an old generation is refused here too. */
export function answerTxnOffsetCommit(
  request: RequestOf<typeof txnOffsetCommit>,
  { broker }: Call,
): ResponseOf<typeof txnOffsetCommit> {
  const { transactionalId, groupId, memberId, generationId, groupInstanceId, producerId, producerEpoch } = request;
  const isMember = memberId !== '' || generationId >= 0 || groupInstanceId !== null;
  const caller = { memberId, instanceId: groupInstanceId, generation: generationId };
  let refusal: ErrorCode = isMember ? refuseCommit(broker, groupId, caller) : errorCode.none;
  const offsets = request.topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex, committedOffset, committedLeaderEpoch, committedMetadata }) => ({
      group: groupId,
      topic: name,
      partition: partitionIndex,
      offset: committedOffset,
      leaderEpoch: committedLeaderEpoch,
      metadata: committedMetadata,
    })),
  );
  const missing = offsets.some(({ topic, partition }) => !broker.topics.named(topic)?.partitions[partition]);
  if (refusal === errorCode.none && missing) refusal = errorCode.unknownTopicOrPartition;
  if (refusal === errorCode.none) {
    const producer = { producerId, producerEpoch };
    // No version of this API knows PRODUCER_FENCED.
    refusal = attempt(() => broker.transactions.holdOffsets(transactionalId, producer, offsets), false);
  }
  const topics = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: refusal })),
  }));
  return { throttleTimeMs: 0, topics };
}

/** @param fencedKnown whether this version of the API has PRODUCER_FENCED; older ones say INVALID_PRODUCER_EPOCH */
function attempt(action: () => void, fencedKnown: boolean): ErrorCode {
  try {
    action();
    return errorCode.none;
  } catch (error) {
    return codeOf(error, fencedKnown);
  }
}

function codeOf(error: unknown, fencedKnown: boolean): ErrorCode {
  if (!(error instanceof KafkaError)) throw error;
  return error.code === errorCode.producerFenced && !fencedKnown ? errorCode.invalidProducerEpoch : error.code;
}
