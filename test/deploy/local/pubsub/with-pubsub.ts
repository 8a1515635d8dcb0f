import { PubSub, v1 } from '@google-cloud/pubsub';
import { credentials } from '@grpc/grpc-js';
import { openPubSubServer } from '../../../../deploy/local/pubsub/server.ts';

// The low-level clients look for a metadata server even where they need no credentials.
process.env.METADATA_SERVER_DETECTION = 'none';

export const PROJECT = 'projects/laptop';

/** The unmodified official client, pointed at an address as PUBSUB_EMULATOR_HOST does it. */
export function openClient(address: string): PubSub {
  process.env.PUBSUB_EMULATOR_HOST = address;
  try {
    return new PubSub({ projectId: 'laptop' });
  } finally {
    delete process.env.PUBSUB_EMULATOR_HOST;
  }
}

/** The low-level clients behind it, for single calls. */
export async function openRawClients(
  client: PubSub,
): Promise<{ publisher: v1.PublisherClient; subscriber: v1.SubscriberClient }> {
  const { servicePath = '', port = 0 } = await client.getClientConfig();
  const options = { projectId: 'laptop', servicePath, port: Number(port), sslCreds: credentials.createInsecure() };
  return { publisher: new v1.PublisherClient(options), subscriber: new v1.SubscriberClient(options) };
}

/** Runs a server with a client for the time of a test. */
export async function withPubSub(
  options: NonNullable<Parameters<typeof openPubSubServer>[0]>,
  use: (context: {
    client: PubSub;
    publisher: v1.PublisherClient;
    subscriber: v1.SubscriberClient;
    address: string;
  }) => Promise<void>,
): Promise<void> {
  const server = await openPubSubServer(options);
  const client = openClient(server.address);
  const raw = await openRawClients(client);
  try {
    await use({ client, ...raw, address: server.address });
  } finally {
    await raw.publisher.close();
    await raw.subscriber.close();
    await client.close();
    await server.close();
  }
}
