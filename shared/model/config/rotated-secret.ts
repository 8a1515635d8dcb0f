import type { RotatedSecret, RotationStrategy } from './declaration.ts';
import type { Report } from './finding.ts';
import type { WrittenDeclaration, WrittenSecret } from './schema.ts';
import { parseMs } from './units.ts';

const DEFAULT_OVERLAP = '1h';
const DEFAULT_DESTROY_AFTER = '7d';
const DEFAULT_LENGTH = 32;
const DEFAULT_TIMEOUT = '30s';
const MAX_TIMEOUT_MS = 5 * 60_000;
const ALL_CLASSES = ['lower', 'upper', 'digit', 'symbol'] as const;

/** Which strategy each of these settings belongs to. */
const OWNER = {
  users: 'kafka-scram',
  admin: 'kafka-scram',
  length: 'password',
  classes: 'password',
  hook: 'http-hook',
  command: 'command',
  authority: 'tls-certificate',
  subject: 'tls-certificate',
  lifetime: 'tls-certificate',
  account: 'service-account-key',
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
  const waitForUsersMs = secret.waitForUsers === undefined ? overlapMs : parseMs(secret.waitForUsers);
  const times = { everyMs, overlapMs };
  const strategy = strategyOf(name, secret, { written, report, times });
  return { name, strategy, ...times, waitForUsersMs, destroyAfterMs };
}

interface Context {
  readonly written: WrittenDeclaration;
  readonly report: Report;
  readonly times: Pick<RotatedSecret, 'everyMs' | 'overlapMs'>;
}

function strategyOf(name: string, secret: WrittenSecret, { written, report, times }: Context): RotationStrategy {
  const { strategy, length, classes, hook, account } = secret;
  const path = ['secrets', name];
  switch (strategy) {
    case 'hmac-key':
      return { kind: strategy };
    case 'password':
      return { kind: strategy, length: length ?? DEFAULT_LENGTH, classes: [...new Set(classes ?? ALL_CLASSES)] };
    case 'http-hook':
      if (!hook) report([...path, 'hook'], 'is missing', 'Write hook: { url: …, key: SECRET }');
      return { kind: strategy, url: hook?.url ?? '', key: hook?.key ?? '' };
    case 'command':
      return commandOf(path, secret, report);
    case 'tls-certificate':
      return certificateOf(path, secret, report, times);
    case 'service-account-key':
      if (account === undefined)
        report([...path, 'account'], 'is missing', 'Write account: NAME@PROJECT.iam.gserviceaccount.com');
      return { kind: strategy, account: account ?? '' };
    case 'kafka-scram':
      return scramOf(path, secret, written, report);
  }
}

function commandOf(path: readonly string[], { command }: WrittenSecret, report: Report): RotationStrategy {
  const [file = '', ...args] = command?.run ?? [];
  if (!file.startsWith('/')) {
    const what = command ? `begins with ${JSON.stringify(file)}, no absolute path` : 'is missing';
    report(
      [...path, 'command'],
      what,
      'Write command: { run: [/path/to/executable, ARGUMENT, …] }: no shell looks for it',
    );
  }
  const timeoutMs = parseMs(command?.timeout ?? DEFAULT_TIMEOUT);
  if (timeoutMs > MAX_TIMEOUT_MS) report([...path, 'command', 'timeout'], 'is longer than 5m', 'Write 5m at most');
  return { kind: 'command', run: [file, ...args], timeoutMs };
}

function certificateOf(
  path: readonly string[],
  { authority, subject, lifetime }: WrittenSecret,
  report: Report,
  { everyMs, overlapMs }: Context['times'],
): RotationStrategy {
  if (authority === undefined) report([...path, 'authority'], 'is missing', 'Name the secret with the key that signs');
  if (subject === undefined) report([...path, 'subject'], 'is missing', 'Write subject: CN=NAME');
  const neededMs = everyMs + overlapMs;
  const lifetimeMs = lifetime === undefined ? 2 * neededMs : parseMs(lifetime);
  if (lifetimeMs <= neededMs) {
    report(
      [...path, 'lifetime'],
      'is no longer than `every` and `overlap`',
      'Let it outlive a rotation that comes late',
    );
  }
  return { kind: 'tls-certificate', authority: authority ?? '', subject: subject ?? '', lifetimeMs };
}

function scramOf(
  path: readonly string[],
  { users, admin }: WrittenSecret,
  written: WrittenDeclaration,
  report: Report,
): RotationStrategy {
  const [first, second] = users ?? [];
  if (first === undefined || second === undefined || first === second) {
    report([...path, 'users'], 'does not name two users', 'Name two that take turns, as users: [sink-a, sink-b]');
  }
  if (written.kafka === undefined) {
    report([...path, 'strategy'], 'changes Kafka’s users, but no brokers are declared', 'Add `kafka: { brokers: … }`');
  }
  const declared = written.kafka?.auth?.mechanism;
  const mechanism = declared === 'scram-sha-256' ? declared : 'scram-sha-512';
  return { kind: 'kafka-scram', users: [first ?? '', second ?? ''], mechanism, admin };
}
