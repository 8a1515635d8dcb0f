import { refuseCode } from '../kafka-errors.ts';
import { apis } from './apis.ts';
import type { BrokerConnection } from './broker-connection.ts';
import { RequestWriter } from './request-writer.ts';

const CONSUMER = -1;
const READ_COMMITTED = 1;
const ANY_EPOCH = -1;
const AT = { earliest: -2n, latest: -1n } as const;

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
  const body = new RequestWriter().int32(CONSUMER).int8(READ_COMMITTED);
  body.array([topic], () => {
    body.text(topic).array(partitions, (partition) => body.int32(partition).int32(ANY_EPOCH).int64(AT[at]).noTags());
    body.noTags();
  });
  body.noTags();
  const answer = await connection.ask(apis.listOffsets, body);
  answer.int32();
  const offsets = new Map<number, bigint>();
  answer.array(() => {
    answer.text();
    answer.array(() => {
      const partition = answer.int32();
      refuseCode(answer.int16(), `Asking for the ${at} offset of ${topic}/${partition}`);
      answer.int64();
      offsets.set(partition, answer.int64());
      answer.int32();
      answer.tags();
    });
    answer.tags();
  });
  return offsets;
}
