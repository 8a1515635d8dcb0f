import { refuseCode } from '../kafka-errors.ts';
import { apis } from './apis.ts';
import type { BrokerConnection } from './broker-connection.ts';
import { RequestWriter } from './request-writer.ts';

const CONSUMER = -1;
const READ_COMMITTED = 1;
const ANY_EPOCH = -1;
const AT = { earliest: -2n, latest: -1n } as const;

/** Milliseconds since 1970: no record is older. */
const ANY_TIME = 0n;
const NO_TIME = -1n;

interface Question {
  readonly partitions: readonly number[];
  readonly timestamp: bigint;
  /** For the error of a partition that cannot be asked. */
  readonly what: string;
}

/**
 * Asks the leader where partitions begin, or where what is committed ends.
 *
 * @returns offsets by partition
 * @throws {BrokerError} when one partition cannot be asked here
 */
export async function askOffsets(
  connection: BrokerConnection,
  topic: string,
  { partitions, at }: { readonly partitions: readonly number[]; readonly at: keyof typeof AT },
): Promise<ReadonlyMap<number, bigint>> {
  const found = await ask(connection, topic, { partitions, timestamp: AT[at], what: `the ${at} offset` });
  return new Map(found.map(({ partition, offset }) => [partition, offset]));
}

/**
 * Asks the leader when the oldest record that each partition still has happened.
 *
 * @returns milliseconds since 1970 by partition; those without records are left out
 * @throws {BrokerError} when one partition cannot be asked here
 */
export async function askOldestTimes(
  connection: BrokerConnection,
  topic: string,
  partitions: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  const found = await ask(connection, topic, { partitions, timestamp: ANY_TIME, what: 'the oldest record' });
  const dated = found.filter(({ timestamp }) => timestamp !== NO_TIME);
  return new Map(dated.map(({ partition, timestamp }) => [partition, Number(timestamp)]));
}

async function ask(connection: BrokerConnection, topic: string, { partitions, timestamp, what }: Question) {
  const body = new RequestWriter().int32(CONSUMER).int8(READ_COMMITTED);
  body.array([topic], () => {
    body.text(topic).array(partitions, (partition) => body.int32(partition).int32(ANY_EPOCH).int64(timestamp).noTags());
    body.noTags();
  });
  body.noTags();
  const answer = await connection.ask(apis.listOffsets, body);
  answer.int32();
  const topics = answer.array(() => {
    answer.text();
    const found = answer.array(() => {
      const partition = answer.int32();
      refuseCode(answer.int16(), `Asking for ${what} of ${topic}/${partition}`);
      const one = { partition, timestamp: answer.int64(), offset: answer.int64() };
      answer.int32();
      answer.tags();
      return one;
    });
    answer.tags();
    return found;
  });
  return topics.flat();
}
