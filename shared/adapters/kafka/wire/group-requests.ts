import type { PartitionOffset } from '../driver.ts';
import { BrokerError, kafkaCode, refuseCode } from '../kafka-errors.ts';
import { apis } from './apis.ts';
import type { BrokerConnection } from './broker-connection.ts';
import type { BrokerAddress } from './open-socket.ts';
import { RequestWriter } from './request-writer.ts';

const GROUP = 0;
const NO_EPOCH = -1;
const PROTOCOL_TYPE = 'consumer';
/** Beyond what the coordinator itself may wait for other members. */
const ANSWER_MS = 10_000;
/** Who leaves does not wait long to be let go. */
const LEAVE_MS = 5_000;
const NOTHING = Buffer.alloc(0);

/** A member in one generation of its group. */
export interface MemberIdentity {
  readonly group: string;
  readonly memberId: string;
  readonly generation: number;
}

/** @throws {BrokerError} while the group has no coordinator */
export async function findCoordinator(connection: BrokerConnection, group: string): Promise<BrokerAddress> {
  const body = new RequestWriter().int8(GROUP);
  body.array([group], (key) => body.text(key)).noTags();
  const answer = await connection.ask(apis.findCoordinator, body);
  answer.int32();
  const [found] = answer.array(() => {
    answer.text();
    answer.int32();
    const address = { host: answer.text(), port: answer.int32() };
    const code = answer.int16();
    answer.nullableText();
    answer.tags();
    return { code, address };
  });
  if (!found) throw new BrokerError(`Finding the coordinator of ${group}`, kafkaCode.coordinatorNotAvailable);
  refuseCode(found.code, `Finding the coordinator of ${group}`);
  return found.address;
}

/** What joining gave. */
export interface Joined {
  readonly memberId: string;
  readonly generation: number;
  /** Undefined for all members but the leader. */
  readonly members: readonly { readonly memberId: string; readonly metadata: Buffer }[] | undefined;
}

/** Joins a group, in two steps where the member has no id yet. Waits until all members have joined. */
export async function askJoin(
  connection: BrokerConnection,
  wanted: {
    readonly group: string;
    readonly memberId: string;
    readonly protocol: string;
    readonly metadata: Buffer;
    readonly sessionTimeoutMs: number;
    readonly rebalanceTimeoutMs: number;
  },
): Promise<Joined> {
  const { group, sessionTimeoutMs, rebalanceTimeoutMs, protocol, metadata } = wanted;
  let { memberId } = wanted;
  for (;;) {
    const body = new RequestWriter().text(group).int32(sessionTimeoutMs).int32(rebalanceTimeoutMs);
    body.text(memberId).nullableText(null).text(PROTOCOL_TYPE);
    body.array([protocol], (name) => body.text(name).data(metadata).noTags()).noTags();
    const answer = await connection.ask(apis.joinGroup, body, rebalanceTimeoutMs + ANSWER_MS);
    answer.int32();
    const code = answer.int16();
    const generation = answer.int32();
    answer.nullableText();
    answer.nullableText();
    const leader = answer.text();
    const givenId = answer.text();
    const members = answer.array(() => {
      const member = { memberId: answer.text(), instance: answer.nullableText(), metadata: answer.data() ?? NOTHING };
      answer.tags();
      return member;
    });
    if (code === kafkaCode.memberIdRequired && memberId === '') {
      memberId = givenId;
      continue;
    }
    refuseCode(code, `Joining group ${group}`);
    return { memberId: givenId, generation, members: leader === givenId ? members : undefined };
  }
}

/** @param assignments what the leader hands in; none from the others */
export async function askSync(
  connection: BrokerConnection,
  { group, memberId, generation }: MemberIdentity,
  {
    protocol,
    assignments,
    timeoutMs,
  }: { readonly protocol: string; readonly assignments: ReadonlyMap<string, Buffer>; readonly timeoutMs: number },
): Promise<Buffer> {
  const body = new RequestWriter().text(group).int32(generation).text(memberId).nullableText(null);
  body.nullableText(PROTOCOL_TYPE).nullableText(protocol);
  body.array([...assignments], ([member, assignment]) => body.text(member).data(assignment).noTags()).noTags();
  const answer = await connection.ask(apis.syncGroup, body, timeoutMs + ANSWER_MS);
  answer.int32();
  refuseCode(answer.int16(), `Taking what group ${group} assigns`);
  answer.nullableText();
  answer.nullableText();
  return answer.data() ?? NOTHING;
}

export async function askHeartbeat(
  connection: BrokerConnection,
  { group, memberId, generation }: MemberIdentity,
  timeoutMs: number,
): Promise<void> {
  const body = new RequestWriter().text(group).int32(generation).text(memberId).nullableText(null).noTags();
  const answer = await connection.ask(apis.heartbeat, body, timeoutMs);
  answer.int32();
  refuseCode(answer.int16(), `Telling group ${group} that we live`);
}

export async function askLeave(connection: BrokerConnection, { group, memberId }: MemberIdentity): Promise<void> {
  const body = new RequestWriter().text(group);
  body.array([memberId], (member) => body.text(member).nullableText(null).noTags()).noTags();
  const answer = await connection.ask(apis.leaveGroup, body, LEAVE_MS);
  answer.int32();
  refuseCode(answer.int16(), `Leaving group ${group}`);
}

/** @throws {BrokerError} for the first partition whose offset was not taken */
export async function askCommitOffsets(
  connection: BrokerConnection,
  { group, memberId, generation }: MemberIdentity,
  offsets: readonly PartitionOffset[],
): Promise<void> {
  const body = new RequestWriter().text(group).int32(generation).text(memberId).nullableText(null);
  body.array([...Map.groupBy(offsets, ({ topic }) => topic)], ([topic, ofTopic]) => {
    body.text(topic);
    body.array(ofTopic, ({ partition, offset }) => {
      body.int32(partition).int64(offset).int32(NO_EPOCH).nullableText(null).noTags();
    });
    body.noTags();
  });
  body.noTags();
  const answer = await connection.ask(apis.offsetCommit, body);
  answer.int32();
  answer.array(() => {
    const topic = answer.text();
    answer.array(() => {
      const partition = answer.int32();
      refuseCode(answer.int16(), `Committing the offset of ${topic}/${partition} to group ${group}`);
      answer.tags();
    });
    answer.tags();
  });
}
