/** One kind of request in the one version that we speak. */
export interface Api {
  readonly name: string;
  readonly key: number;
  readonly version: number;
}

/**
 * Each request in one version, which Kafka 3.1 to 4.x serve: the first with topic ids in Metadata and Fetch.
 *
 * Source: kafka.apache.org/protocol, "API Keys".
 */
export const apis = {
  fetch: { name: 'Fetch', key: 1, version: 13 },
  listOffsets: { name: 'ListOffsets', key: 2, version: 7 },
  metadata: { name: 'Metadata', key: 3, version: 12 },
  offsetCommit: { name: 'OffsetCommit', key: 8, version: 8 },
  findCoordinator: { name: 'FindCoordinator', key: 10, version: 4 },
  joinGroup: { name: 'JoinGroup', key: 11, version: 7 },
  heartbeat: { name: 'Heartbeat', key: 12, version: 4 },
  leaveGroup: { name: 'LeaveGroup', key: 13, version: 4 },
  syncGroup: { name: 'SyncGroup', key: 14, version: 5 },
  saslHandshake: { name: 'SaslHandshake', key: 17, version: 1 },
  apiVersions: { name: 'ApiVersions', key: 18, version: 3 },
  saslAuthenticate: { name: 'SaslAuthenticate', key: 36, version: 2 },
} as const satisfies Record<string, Api>;
