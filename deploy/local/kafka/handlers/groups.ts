import { type Broker, NODE_ID } from '../engine/broker.ts';
import { type JoinAnswer, joinError } from '../engine/group-member.ts';
import type { RequestOf, ResponseOf } from '../protocol/api.ts';
import { type ErrorCode, errorCode } from '../protocol/error-code.ts';
import type { findCoordinator, heartbeat, joinGroup, leaveGroup, syncGroup } from '../protocol/groups.ts';
import type { Call } from './route.ts';

const MIN_SESSION_MS = 100;
const MAX_SESSION_MS = 1_800_000;
const ID_REQUIRED_FROM_VERSION = 4;
/** Groups (0) and transactional ids (1). */
const KEY_TYPES = 2;

/** Answers FindCoordinator: it is always this broker. */
export function answerFindCoordinator(
  request: RequestOf<typeof findCoordinator>,
  { advertised }: Call,
): ResponseOf<typeof findCoordinator> {
  const known = request.keyType >= 0 && request.keyType < KEY_TYPES;
  const answer = {
    errorCode: known ? errorCode.none : errorCode.invalidRequest,
    errorMessage: known ? null : `Coordinators of type ${request.keyType} are not served: 0 group, 1 transaction`,
    nodeId: known ? NODE_ID : -1,
    host: known ? advertised.host : '',
    port: known ? advertised.port : -1,
  };
  return { ...answer, coordinators: request.coordinatorKeys.map((key) => ({ key, ...answer })) };
}

/** Answers JoinGroup when the rebalance is complete. */
export async function answerJoinGroup(
  request: RequestOf<typeof joinGroup>,
  { broker, version, clientId, clientHost }: Call,
): Promise<ResponseOf<typeof joinGroup>> {
  const { groupId, memberId, sessionTimeoutMs, protocolType } = request;
  const refusal = refuseJoin(broker, groupId, sessionTimeoutMs);
  if (refusal !== errorCode.none) return joinResponse(joinError(refusal, memberId), null);
  const rebalanceTimeoutMs = request.rebalanceTimeoutMs < 0 ? sessionTimeoutMs : request.rebalanceTimeoutMs;
  const answer = await new Promise<JoinAnswer>((resolve) => {
    const join = {
      ...request,
      instanceId: request.groupInstanceId,
      clientId,
      clientHost,
      rebalanceTimeoutMs,
      idRequired: version >= ID_REQUIRED_FROM_VERSION,
    };
    broker.groups.act(groupId, (group, now) => group.join(join, now, resolve));
  });
  return joinResponse(answer, answer.error === errorCode.none ? protocolType : null);
}

/** Answers SyncGroup when the leader has handed in the assignment. */
export async function answerSyncGroup(
  request: RequestOf<typeof syncGroup>,
  { broker }: Call,
): Promise<ResponseOf<typeof syncGroup>> {
  const { groupId, memberId, generationId, groupInstanceId, protocolType, protocolName, assignments } = request;
  const group = broker.groups.find(groupId);
  if (!group) return { errorCode: errorCode.unknownMemberId, assignment: Buffer.alloc(0) };
  const caller = { memberId, instanceId: groupInstanceId, generation: generationId, protocolType, protocolName };
  const { error, assignment } = await new Promise<{ error: ErrorCode; assignment: Buffer }>((resolve) => {
    broker.groups.act(groupId, (_, now) => group.sync(caller, assignments, now, resolve));
  });
  if (error !== errorCode.none) return { errorCode: error, assignment };
  return { errorCode: error, assignment, protocolType: group.protocolType, protocolName: group.protocolName };
}

/** Answers Heartbeat. */
export function answerHeartbeat(
  { groupId, memberId, generationId, groupInstanceId }: RequestOf<typeof heartbeat>,
  { broker }: Call,
): ResponseOf<typeof heartbeat> {
  if (!broker.groups.find(groupId)) return { errorCode: errorCode.unknownMemberId };
  const caller = { memberId, instanceId: groupInstanceId, generation: generationId };
  return { errorCode: broker.groups.act(groupId, (group, now) => group.heartbeat(caller, now)) };
}

/** Answers LeaveGroup, for one member or, from version 3 on, for many. */
export function answerLeaveGroup(
  request: RequestOf<typeof leaveGroup>,
  { broker, version }: Call,
): ResponseOf<typeof leaveGroup> {
  const { groupId } = request;
  const leave = (memberId: string, instanceId: string | null): ErrorCode => {
    if (!broker.groups.find(groupId)) return errorCode.unknownMemberId;
    return broker.groups.act(groupId, (group, now) => group.leave({ memberId, instanceId }, now));
  };
  if (version < 3) return { errorCode: leave(request.memberId, null) };
  const members = request.members.map(({ memberId, groupInstanceId }) => ({
    memberId,
    groupInstanceId,
    errorCode: leave(memberId, groupInstanceId),
  }));
  return { errorCode: errorCode.none, members };
}

function refuseJoin(broker: Broker, groupId: string, sessionTimeoutMs: number): ErrorCode {
  const refusal = broker.groups.refuse(groupId);
  if (refusal !== errorCode.none) return refusal;
  const allowed = sessionTimeoutMs >= MIN_SESSION_MS && sessionTimeoutMs <= MAX_SESSION_MS;
  return allowed ? errorCode.none : errorCode.invalidSessionTimeout;
}

function joinResponse(answer: JoinAnswer, protocolType: string | null): ResponseOf<typeof joinGroup> {
  const { error, generation, protocolName, leader, skipAssignment, memberId, members } = answer;
  return {
    errorCode: error,
    generationId: generation,
    protocolType,
    // Null is allowed from version 7 on; an empty name says the same before and is what clients expect there.
    protocolName: protocolName ?? '',
    leader,
    skipAssignment,
    memberId,
    members: members.map(({ instanceId, ...member }) => ({ ...member, groupInstanceId: instanceId })),
  };
}
