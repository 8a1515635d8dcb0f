import { refuseCode } from '../kafka-errors.ts';
import { FetchedRecords } from '../records/fetched-records.ts';
import type { RecordSource } from '../records/record-source.ts';
import type { RecordOrigin } from '../records/wire-record.ts';
import { apis } from './apis.ts';
import type { BrokerConnection } from './broker-connection.ts';
import { RequestWriter } from './request-writer.ts';

const CONSUMER = -1;
const READ_COMMITTED = 1;
/** Neither a session nor an epoch: each request names all that it wants. */
const NO_SESSION = { id: 0, epoch: -1 };
const UNKNOWN = -1;
const NOTHING = Buffer.alloc(0);
/** Beyond what the broker may wait. */
const ANSWER_MS = 30_000;

/** One partition in a request. */
export interface FetchWish {
  readonly topicId: string;
  readonly partition: number;
  readonly leaderEpoch: number;
  readonly offset: bigint;
}

/** One partition in an answer. */
export interface FetchAnswer {
  readonly topicId: string;
  readonly partition: number;
  readonly code: number;
  readonly highWatermark: bigint;
  /** Reads what came; the records know where they came from. */
  read(origin: RecordOrigin & { readonly fetchedFrom: bigint }): RecordSource;
}

export interface FetchLimits {
  /** How long the broker may wait for a first byte, in milliseconds. */
  readonly maxWaitMs: number;
  readonly maxBytes: number;
  readonly maxPartitionBytes: number;
}

/**
 * Asks a leader for committed records, topics by their ids: another topic of the same name answers nothing.
 *
 * @throws {BrokerError} when the request as a whole was refused
 */
export async function askRecords(
  connection: BrokerConnection,
  wishes: readonly FetchWish[],
  { maxWaitMs, maxBytes, maxPartitionBytes }: FetchLimits,
): Promise<FetchAnswer[]> {
  const body = new RequestWriter().int32(CONSUMER).int32(maxWaitMs).int32(1).int32(maxBytes).int8(READ_COMMITTED);
  body.int32(NO_SESSION.id).int32(NO_SESSION.epoch);
  body.array([...Map.groupBy(wishes, ({ topicId }) => topicId)], ([topicId, partitions]) => {
    body.uuid(topicId).array(partitions, ({ partition, leaderEpoch, offset }) => {
      body.int32(partition).int32(leaderEpoch).int64(offset).int32(UNKNOWN).int64(-1n).int32(maxPartitionBytes);
      body.noTags();
    });
    body.noTags();
  });
  body
    .array([], () => {})
    .text('')
    .noTags();
  const answer = await connection.ask(apis.fetch, body, maxWaitMs + ANSWER_MS);
  answer.int32();
  refuseCode(answer.int16(), 'Fetching records');
  answer.int32();
  const topics = answer.array(() => {
    const topicId = answer.uuid();
    const partitions = answer.array((): FetchAnswer => {
      const partition = answer.int32();
      const code = answer.int16();
      const highWatermark = answer.int64();
      answer.int64();
      answer.int64();
      const aborted = answer.array(() => {
        const transaction = { producerId: answer.int64(), firstOffset: answer.int64() };
        answer.tags();
        return transaction;
      });
      answer.int32();
      const bytes = answer.data() ?? NOTHING;
      answer.tags();
      const read: FetchAnswer['read'] = (origin) => new FetchedRecords({ ...origin, bytes, aborted });
      return { topicId, partition, code, highWatermark, read };
    });
    answer.tags();
    return partitions;
  });
  return topics.flat();
}
