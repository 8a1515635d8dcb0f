import { api } from './api.ts';
import { array, bool, bytes, int16, int32, nullableString, since, string, struct } from './fields.ts';
import { operationsNotAsked } from './metadata.ts';

/** DescribeGroups. */
export const describeGroups = api({
  key: 15,
  name: 'DescribeGroups',
  versions: [0, 5],
  flexibleFrom: 5,
  request: { groups: array(string), includeAuthorizedOperations: since(3, bool, false) },
  response: {
    throttleTimeMs: since(1, int32, 0),
    groups: array(
      struct({
        errorCode: int16,
        groupId: string,
        groupState: string,
        protocolType: string,
        protocolData: string,
        members: array(
          struct({
            memberId: string,
            groupInstanceId: since(4, nullableString, null),
            clientId: string,
            clientHost: string,
            memberMetadata: bytes,
            memberAssignment: bytes,
          }),
        ),
        authorizedOperations: since(3, int32, operationsNotAsked),
      }),
    ),
  },
});

/** ListGroups. */
export const listGroups = api({
  key: 16,
  name: 'ListGroups',
  versions: [0, 5],
  flexibleFrom: 3,
  request: { statesFilter: since(4, array(string), []), typesFilter: since(5, array(string), []) },
  response: {
    throttleTimeMs: since(1, int32, 0),
    errorCode: int16,
    groups: array(
      struct({
        groupId: string,
        protocolType: string,
        groupState: since(4, string, ''),
        groupType: since(5, string, 'classic'),
      }),
    ),
  },
});

/** DeleteGroups. */
export const deleteGroups = api({
  key: 42,
  name: 'DeleteGroups',
  versions: [0, 2],
  flexibleFrom: 2,
  request: { groupIds: array(string) },
  response: { throttleTimeMs: int32, results: array(struct({ groupId: string, errorCode: int16 })) },
});
