import { status } from '@grpc/grpc-js';
import { RpcError } from '../grpc.ts';

const MIN_ROTATION_AHEAD_MS = 300_000;
const MIN_ROTATION_PERIOD_MS = 3_600_000;
const MAX_ROTATION_PERIOD_MS = 3_153_600_000_000;
const MIN_EXPIRY_AHEAD_MS = 60_000;
const DAY_MS = 86_400_000;
const MAX_DESTROY_TTL_MS = 1_000 * DAY_MS;
const MAX_TOPICS = 10;
const TOPIC = /^projects\/[^/]+\/topics\/[^/]+$/;

/** What a secret does by itself as time goes. */
export interface Lifecycle {
  /** Topics that are told of what becomes of it. */
  readonly topics: readonly string[];
  readonly rotation: { readonly nextAtMs: number; readonly periodMs: number | undefined } | undefined;
  readonly expiresAtMs: number | undefined;
  /** How long a version that is destroyed can be brought back. */
  readonly destroyTtlMs: number | undefined;
}

export const noLifecycle: Lifecycle = {
  topics: [],
  rotation: undefined,
  expiresAtMs: undefined,
  destroyTtlMs: undefined,
};

/**
 * Source: cloud.google.com/secret-manager/docs/rotation-recommendations, …/docs/delay-destruction-of-secret-versions.
 *
 * @param before what stands already, which is not held against today's clock again
 */
export function checkLifecycle(lifecycle: Lifecycle, before: Lifecycle, nowMs: number): void {
  const { topics, rotation, expiresAtMs, destroyTtlMs } = lifecycle;
  if (topics.length > MAX_TOPICS) throw refuse(`has ${topics.length} topics, at most ${MAX_TOPICS} are allowed`);
  for (const topic of topics)
    if (!TOPIC.test(topic)) throw refuse(`names topic [${topic}]: wanted projects/P/topics/T`);
  if (rotation && topics.length === 0) throw refuse('has a rotation, which needs at least one topic to tell');
  if (
    rotation &&
    rotation.nextAtMs !== before.rotation?.nextAtMs &&
    rotation.nextAtMs < nowMs + MIN_ROTATION_AHEAD_MS
  ) {
    throw refuse('has a next_rotation_time that is not at least 300 seconds from now');
  }
  const periodMs = rotation?.periodMs;
  if (periodMs !== undefined && (periodMs < MIN_ROTATION_PERIOD_MS || periodMs > MAX_ROTATION_PERIOD_MS)) {
    throw refuse('has a rotation_period that is not from 3600 to 3153600000 seconds');
  }
  if (expiresAtMs !== undefined && expiresAtMs !== before.expiresAtMs && expiresAtMs < nowMs + MIN_EXPIRY_AHEAD_MS) {
    throw refuse('has an expire_time that is not at least 60 seconds from now');
  }
  if (destroyTtlMs !== undefined && (destroyTtlMs < DAY_MS || destroyTtlMs > MAX_DESTROY_TTL_MS)) {
    throw refuse('has a version_destroy_ttl that is not from 24 hours to 1000 days');
  }
}

/** When something next becomes of a secret by itself; undefined when nothing does. */
export function nextDueMs(
  { rotation, expiresAtMs }: Lifecycle,
  versions: readonly { readonly scheduledDestroyTimeMs?: number | undefined }[],
): number | undefined {
  const destructions = versions.map(({ scheduledDestroyTimeMs }) => scheduledDestroyTimeMs);
  const times = [rotation?.nextAtMs, expiresAtMs, ...destructions].filter((time) => time !== undefined);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** The rotation after one that is due; times that passed while nobody looked are one. */
export function rotationAfter({ rotation }: Lifecycle, nowMs: number): Lifecycle['rotation'] {
  if (!rotation?.periodMs) return undefined;
  const passed = Math.floor((nowMs - rotation.nextAtMs) / rotation.periodMs) + 1;
  return { ...rotation, nextAtMs: rotation.nextAtMs + passed * rotation.periodMs };
}

function refuse(what: string): RpcError {
  return new RpcError(status.INVALID_ARGUMENT, `The secret ${what}.`);
}
