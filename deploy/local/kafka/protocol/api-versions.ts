import { api } from './api.ts';
import { array, int16, int32, since, string, struct } from './fields.ts';

/** ApiVersions: its answers have the plain header in every version, as a client does not yet know what we speak. */
export const apiVersions = api({
  key: 18,
  name: 'ApiVersions',
  versions: [0, 4],
  flexibleFrom: 3,
  request: { clientSoftwareName: since(3, string, ''), clientSoftwareVersion: since(3, string, '') },
  response: {
    errorCode: int16,
    apiKeys: array(struct({ apiKey: int16, minVersion: int16, maxVersion: int16 })),
    throttleTimeMs: since(1, int32, 0),
  },
});
