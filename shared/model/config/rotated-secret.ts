import type { RotatedSecret, RotationStrategy } from './declaration.ts';
import type { Report } from './finding.ts';
import type { WrittenDeclaration, WrittenSecret } from './schema.ts';
import { parseMs } from './units.ts';

const DEFAULT_OVERLAP = '1h';
const DEFAULT_DESTROY_AFTER = '7d';
const DEFAULT_LENGTH = 32;
const ALL_CLASSES = ['lower', 'upper', 'digit', 'symbol'] as const;

/** Which strategy each of these settings belongs to. */
const OWNER = {
  users: 'kafka-scram',
  admin: 'kafka-scram',
  length: 'password',
  classes: 'password',
  hook: 'http-hook',
} as const satisfies Partial<Record<keyof WrittenSecret, WrittenSecret['strategy']>>;

/** Resolves units and defaults of a secret that rotates, and checks what spans several settings. */
export function rotatedSecret(
  name: string,
  secret: WrittenSecret,
  { written, report }: { readonly written: WrittenDeclaration; readonly report: Report },
): RotatedSecret {
  const path = ['secrets', name];
  for (const [setting, owner] of Object.entries(OWNER)) {
    if (Reflect.get(secret, setting) === undefined || secret.strategy === owner) continue;
    report([...path, setting], `belongs to strategy ${owner}`, `Remove it, or write strategy: ${owner}`);
  }
  const everyMs = parseMs(secret.every);
  const overlapMs = parseMs(secret.overlap ?? DEFAULT_OVERLAP);
  if (overlapMs >= everyMs) {
    report([...path, 'overlap'], 'is as long as `every`', 'Let the old version end before the next rotation begins');
  }
  const destroyAfterMs = parseMs(secret.destroyAfter ?? DEFAULT_DESTROY_AFTER);
  return { name, strategy: strategyOf(name, secret, { written, report }), everyMs, overlapMs, destroyAfterMs };
}

function strategyOf(
  name: string,
  { strategy, users, admin, length, classes, hook }: WrittenSecret,
  { written, report }: { readonly written: WrittenDeclaration; readonly report: Report },
): RotationStrategy {
  const path = ['secrets', name];
  if (strategy === 'hmac-key') return { kind: strategy };
  if (strategy === 'password') {
    return { kind: strategy, length: length ?? DEFAULT_LENGTH, classes: [...new Set(classes ?? ALL_CLASSES)] };
  }
  if (strategy === 'http-hook') {
    if (!hook) report([...path, 'hook'], 'is missing', 'Write hook: { url: …, key: SECRET }');
    return { kind: strategy, url: hook?.url ?? '', key: hook?.key ?? '' };
  }
  const [first, second] = users ?? [];
  if (first === undefined || second === undefined || first === second) {
    report([...path, 'users'], 'does not name two users', 'Name two that take turns, as users: [sink-a, sink-b]');
  }
  if (written.kafka === undefined) {
    report([...path, 'strategy'], 'changes Kafka’s users, but no brokers are declared', 'Add `kafka: { brokers: … }`');
  }
  const declared = written.kafka?.auth?.mechanism;
  const mechanism = declared === 'scram-sha-256' ? declared : 'scram-sha-512';
  return { kind: strategy, users: [first ?? '', second ?? ''], mechanism, admin };
}
