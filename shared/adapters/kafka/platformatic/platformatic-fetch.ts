import type { Consumer } from '@platformatic/kafka';
import { BrokerUnreachableError } from '../kafka-errors.ts';
import type { FetchAnswer, FetchLimits, FetchWish } from '../wire/fetch.ts';
import { BatchRecords } from './batch-records.ts';

type FetchResponse = Awaited<ReturnType<Consumer['fetch']>>;

/** Fetches with @platformatic/kafka; what one partition answers is no error of the others. */
export async function platformaticFetch(
  consumer: Consumer,
  node: number,
  wishes: readonly FetchWish[],
  { maxWaitMs, maxBytes, maxPartitionBytes }: FetchLimits,
): Promise<readonly FetchAnswer[]> {
  const topics = [...Map.groupBy(wishes, ({ topicId }) => topicId)].map(([topicId, partitions]) => ({
    topicId,
    partitions: partitions.map(({ partition, leaderEpoch, offset }) => ({
      partition,
      currentLeaderEpoch: leaderEpoch,
      fetchOffset: offset,
      lastFetchedEpoch: -1,
      partitionMaxBytes: maxPartitionBytes,
    })),
  }));
  const options = { node, topics, minBytes: 1, maxBytes, maxWaitTime: maxWaitMs, isolationLevel: 1 };
  const { responses } = await consumer.fetch(options).catch(responseOf);
  return responses.flatMap(({ topicId, partitions }) =>
    partitions.map(({ partitionIndex, errorCode, highWatermark, abortedTransactions, records }): FetchAnswer => {
      return {
        topicId,
        partition: partitionIndex,
        code: errorCode,
        highWatermark,
        read: (origin) => new BatchRecords(origin, records ?? [], abortedTransactions ?? []),
      };
    }),
  );
}

/** The answer that stands behind an error about a partition in it. */
function responseOf(error: unknown): FetchResponse {
  const found = findResponse(error, 4);
  if (found) return found;
  throw new BrokerUnreachableError('A fetch failed', { cause: error });
}

function findResponse(error: unknown, depth: number): FetchResponse | undefined {
  if (!(error instanceof Error) || depth === 0) return undefined;
  if ('response' in error && isFetchResponse(error.response)) return error.response;
  const inner = error instanceof AggregateError ? error.errors : [error.cause];
  for (const one of inner) {
    const found = findResponse(one, depth - 1);
    if (found) return found;
  }
  return undefined;
}

function isFetchResponse(value: unknown): value is FetchResponse {
  return typeof value === 'object' && value !== null && 'responses' in value && Array.isArray(value.responses);
}
