import { serveGrpc } from '../grpc.ts';
import { SecretEngine, type SecretEvent } from './engine.ts';
import { secretManagerMethods } from './methods.ts';
import { openSecretStore, type StoredSecret } from './store.ts';

/** Node's timers cannot wait longer. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** A clock that is turned by hand is looked at so often. */
const INJECTED_CLOCK_POLL_MS = 10;

/** Takes a message for a topic, as Pub/Sub does. */
export type Publish = (
  topic: string,
  message: { readonly data: Buffer; readonly attributes: Readonly<Record<string, string>> },
) => void;

/**
 * Starts the laptop's Secret Manager on 127.0.0.1.
 *
 * The official client has no variable for it: give it `servicePath`, `port` and `sslCreds: credentials.createInsecure()`.
 *
 * @param options.port 0 or left out for a free one
 * @param options.dir where secrets are kept, in clear, readable by their owner only; in memory when left out
 * @param options.now the time in milliseconds since 1970; what is due follows it, also when it jumps
 * @param options.publish tells the topics of secrets; without it nobody is told
 */
export async function openSecretManagerServer(
  options: { port?: number; dir?: string; now?: () => number; publish?: Publish } = {},
): Promise<{ address: string; close(): Promise<void> }> {
  const now = options.now ?? Date.now;
  const { publish } = options;
  const tell = (event: SecretEvent): void => {
    if (publish) announce(event, publish, now());
  };
  const engine = new SecretEngine(openSecretStore(options.dir), now, tell);
  const server = await serveGrpc({ port: options.port ?? 0, methods: secretManagerMethods(engine) });
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    engine.runDue();
    const waitMs = options.now ? INJECTED_CLOCK_POLL_MS : LOOK_EVERY_MS;
    const dueInMs = (engine.nextDueMs() ?? Number.POSITIVE_INFINITY) - now();
    timer = setTimeout(look, Math.max(0, Math.min(waitMs, dueInMs, MAX_TIMER_MS)));
  };
  look();
  return {
    address: `127.0.0.1:${server.port}`,
    async close() {
      clearTimeout(timer);
      await server.close();
    },
  };
}

/** What is set between two looks becomes due at least so late: Secret Manager takes no shorter times. */
const LOOK_EVERY_MS = 1_000;

function announce({ type, secret, version, deleteType }: SecretEvent, publish: Publish, nowMs: number): void {
  const data = Buffer.from(JSON.stringify(secretToJson(secret)));
  const attributes = {
    dataFormat: 'JSON_API_V1',
    eventType: type,
    secretId: secret.name,
    timestamp: toTime(nowMs),
    ...(version === undefined ? {} : { versionId: `${secret.name}/versions/${version}` }),
    ...(deleteType === undefined ? {} : { deleteType }),
  };
  for (const topic of secret.lifecycle.topics) publish(topic, { data, attributes });
}

/** The secret as its REST API shows it. */
function secretToJson({ name, createTimeMs, etag, labels, versionAliases, lifecycle }: StoredSecret): unknown {
  const { topics, rotation, expiresAtMs, destroyTtlMs } = lifecycle;
  const toDuration = (ms: number): string => `${ms / 1000}s`;
  return {
    name,
    replication: { automatic: {} },
    createTime: toTime(createTimeMs),
    etag,
    labels,
    versionAliases: Object.fromEntries(Object.entries(versionAliases).map(([alias, version]) => [alias, `${version}`])),
    topics: topics.map((topic) => ({ name: topic })),
    ...(rotation && {
      rotation: {
        nextRotationTime: toTime(rotation.nextAtMs),
        ...(rotation.periodMs === undefined ? {} : { rotationPeriod: toDuration(rotation.periodMs) }),
      },
    }),
    ...(expiresAtMs === undefined ? {} : { expireTime: toTime(expiresAtMs) }),
    ...(destroyTtlMs === undefined ? {} : { versionDestroyTtl: toDuration(destroyTtlMs) }),
  };
}

function toTime(ms: number): string {
  return new Date(ms).toISOString();
}
