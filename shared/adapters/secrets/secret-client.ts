import type { SecretManagerServiceClient } from '@google-cloud/secret-manager';

const MAX_RECONNECT_MS = 2_000;
const FIRST_RECONNECT_MS = 200;

/** Makes Secret Manager's official client; follows SECRET_MANAGER_EMULATOR_HOST. */
export async function openSecretClient(): Promise<SecretManagerServiceClient> {
  const { SecretManagerServiceClient } = await import('@google-cloud/secret-manager');
  const client = new SecretManagerServiceClient({
    'grpc.initial_reconnect_backoff_ms': FIRST_RECONNECT_MS,
    'grpc.max_reconnect_backoff_ms': MAX_RECONNECT_MS,
    ...(await emulatorOptions(process.env.SECRET_MANAGER_EMULATOR_HOST)),
  });
  // Else the client does it inside its first call, and its failure is a rejection that nobody can catch.
  await client.initialize();
  return client;
}

async function emulatorOptions(host: string | undefined): Promise<object> {
  if (!host) return {};
  const { credentials } = await import('@grpc/grpc-js');
  const { GoogleAuth, PassThroughClient } = await import('google-auth-library');
  const [servicePath, port] = host.split(':');
  return {
    servicePath,
    port: Number(port),
    sslCreds: credentials.createInsecure(),
    auth: new GoogleAuth({ authClient: new PassThroughClient() }),
  };
}
