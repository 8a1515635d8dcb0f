import { localProject } from '../../local/project.ts';

const email = (name: string): string => `${name}@${localProject}.iam.gserviceaccount.com`;

/** One service account for each function, and one for each service that calls them. */
export const identities = {
  kafkaSink: email('kafka-sink'),
  pubsubSink: email('pubsub-sink'),
  planEpoch: email('plan-epoch'),
  readShard: email('read-shard'),
  rotateSecrets: email('rotate-secrets'),
  dashboard: email('dashboard'),
  push: email('pubsub-push'),
  scheduler: email('scheduler'),
  /** The person at the keyboard. */
  laptop: email('laptop'),
} as const;
