import { api } from './api.ts';
import { array, bytes, int16, int64, nullableString, since, string } from './fields.ts';

/** SaslHandshake: names the mechanism; after version 0 bare tokens follow, after version 1 SaslAuthenticate. */
export const saslHandshake = api({
  key: 17,
  name: 'SaslHandshake',
  versions: [0, 1],
  request: { mechanism: string },
  response: { errorCode: int16, mechanisms: array(string) },
});

/** SaslAuthenticate: one token of the mechanism and its answer; from version 1 on with the session's lifetime. */
export const saslAuthenticate = api({
  key: 36,
  name: 'SaslAuthenticate',
  versions: [0, 2],
  flexibleFrom: 2,
  request: { authBytes: bytes },
  response: {
    errorCode: int16,
    errorMessage: nullableString,
    authBytes: bytes,
    sessionLifetimeMs: since(1, int64, 0n),
  },
});
