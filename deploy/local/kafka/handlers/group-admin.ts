import type { Broker } from '../engine/broker.ts';
import type { RequestOf, ResponseOf } from '../protocol/api.ts';
import { type ErrorCode, errorCode } from '../protocol/error-code.ts';
import type { deleteGroups, describeGroups, listGroups } from '../protocol/group-admin.ts';
import type { Call } from './route.ts';

/** Every group of this broker is of the classic protocol. */
const GROUP_TYPE = 'classic';

/** Answers DescribeGroups; a group that is not there is Dead, as in Kafka. */
export function answerDescribeGroups(
  { groups }: RequestOf<typeof describeGroups>,
  { broker }: Call,
): ResponseOf<typeof describeGroups> {
  return {
    groups: groups.map((groupId) => {
      const group = broker.groups.find(groupId);
      const known = group !== undefined || broker.offsets.topicsOf(groupId).size > 0;
      return {
        errorCode: errorCode.none,
        groupId,
        groupState: group?.state ?? (known ? 'Empty' : 'Dead'),
        protocolType: group?.protocolType ?? '',
        protocolData: group?.protocolName ?? '',
        members: (group?.describe() ?? []).map(({ instanceId, metadata, assignment, ...member }) => ({
          ...member,
          groupInstanceId: instanceId,
          memberMetadata: metadata,
          memberAssignment: assignment,
        })),
      };
    }),
  };
}

/** Answers ListGroups: those with members and those with offsets. */
export function answerListGroups(
  { statesFilter, typesFilter }: RequestOf<typeof listGroups>,
  { broker }: Call,
): ResponseOf<typeof listGroups> {
  const typeWanted = typesFilter.length === 0 || typesFilter.some((type) => type.toLowerCase() === GROUP_TYPE);
  const states = statesFilter.map((state) => state.toLowerCase());
  const groups = allGroupIds(broker)
    .map((groupId) => {
      const group = broker.groups.find(groupId);
      return {
        groupId,
        protocolType: group?.protocolType ?? '',
        groupState: group?.state ?? 'Empty',
        groupType: GROUP_TYPE,
      };
    })
    .filter(({ groupState }) => typeWanted && (states.length === 0 || states.includes(groupState.toLowerCase())));
  return { errorCode: errorCode.none, groups };
}

/** Answers DeleteGroups: a group with members stays. */
export function answerDeleteGroups(
  { groupIds }: RequestOf<typeof deleteGroups>,
  { broker }: Call,
): ResponseOf<typeof deleteGroups> {
  return { throttleTimeMs: 0, results: groupIds.map((groupId) => ({ groupId, errorCode: remove(broker, groupId) })) };
}

function remove(broker: Broker, groupId: string): ErrorCode {
  if (!allGroupIds(broker).includes(groupId)) return errorCode.groupIdNotFound;
  const group = broker.groups.find(groupId);
  if (group && group.state !== 'Empty') return errorCode.nonEmptyGroup;
  broker.groups.delete(groupId);
  broker.offsets.deleteGroup(groupId);
  return errorCode.none;
}

function allGroupIds(broker: Broker): string[] {
  return [...new Set([...broker.groups.ids(), ...broker.offsets.groupIds()])];
}
