import { api } from './api.ts';
import { array, bytes, int8, int16, int32, nullableArray, nullableString, string, struct } from './fields.ts';

/** SCRAM mechanisms as KIP-554 numbers them; 0 is one that is not known. */
export const scramMechanismNumber = { unknown: 0, 'SCRAM-SHA-256': 1, 'SCRAM-SHA-512': 2 } as const;

/** DescribeUserScramCredentials: who has which mechanism with how many iterations; never a key. */
export const describeUserScramCredentials = api({
  key: 50,
  name: 'DescribeUserScramCredentials',
  versions: [0, 0],
  flexibleFrom: 0,
  request: { users: nullableArray(struct({ name: string })) },
  response: {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: nullableString,
    results: array(
      struct({
        user: string,
        errorCode: int16,
        errorMessage: nullableString,
        credentialInfos: array(struct({ mechanism: int8, iterations: int32 })),
      }),
    ),
  },
});

/** AlterUserScramCredentials: the client salts the password, so that the broker never sees it. */
export const alterUserScramCredentials = api({
  key: 51,
  name: 'AlterUserScramCredentials',
  versions: [0, 0],
  flexibleFrom: 0,
  request: {
    deletions: array(struct({ name: string, mechanism: int8 })),
    upsertions: array(struct({ name: string, mechanism: int8, iterations: int32, salt: bytes, saltedPassword: bytes })),
  },
  response: {
    throttleTimeMs: int32,
    results: array(struct({ user: string, errorCode: int16, errorMessage: nullableString })),
  },
});
