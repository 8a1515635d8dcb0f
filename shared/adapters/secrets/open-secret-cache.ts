import type { OnAttempt } from '../../base/audit.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { ConfigError, messageOf } from '../../base/errors.ts';
import { type Log, noLog } from '../../base/log.ts';
import { SecretError } from './secret-error.ts';
import { openSecretManager, type SecretManager } from './secret-manager.ts';
import { SecretValue } from './secret-value.ts';

const ALIAS = 'current';
const SHORT_NAME = /^[\w-]{1,255}$/;
const FULL_NAME = /^projects\/[^/]+\/secrets\/[\w-]{1,255}$/;
const MAX_SECRETS = 1_000;
const TTL_MS = 5 * 60_000;
const STALE_MS = 60 * 60_000;
const DEADLINE_MS = 5_000;
const FRESH_EVERY_MS = 3_000;
/** While Secret Manager is away, how often one reader of a stale value waits for another try. */
const RETRY_MS = 10_000;
/** So long a failure without a stale value is everybody's answer. */
const FAILED_MS = 1_000;
/** Spreads the reads of workers that started together. */
const JITTER = 0.1;
/** Of google.rpc.Code: INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, FAILED_PRECONDITION. */
const REFUSALS: ReadonlySet<unknown> = new Set([3, 5, 7, 9]);

/** Secrets by their alias `current`, kept for minutes. */
export interface SecretCache {
  /**
   * The secret's current version, from the cache where it is young enough. Readers of one moment share one request.
   *
   * @param secret short name, or `projects/P/secrets/S`
   * @param options.fresh the value has just been refused elsewhere: asks again, at most once in 3 seconds
   * @throws {SecretError} `SECRET_REFUSED`, or `SECRET_UNAVAILABLE` when there is no value young enough to bridge an outage
   * @throws {ConfigError} for a name of another form: a version cannot be asked for, `latest` least of all
   */
  read(secret: string, options?: { readonly fresh?: boolean }): Promise<SecretValue>;
  /** Zeroes every value and ends the connection. */
  close(): Promise<void>;
}

/** What a cache can be opened with. */
export interface SecretCacheOptions {
  readonly projectId: string;
  readonly log?: Log;
  readonly clock?: Clock;
  /** From 0 to 1. */
  readonly random?: () => number;
  /** How long a value is used without asking, give or take a tenth; 5 minutes. */
  readonly ttlMs?: number;
  /** How old a value may become while Secret Manager cannot be reached; 1 hour. */
  readonly staleMs?: number;
  /** How long one read waits for Secret Manager; 5 seconds. */
  readonly deadlineMs?: number;
  /** Is told of each request to Secret Manager. */
  readonly onAttempt?: OnAttempt | undefined;
  /** Is told of each version that takes another one's place: `projects/P/secrets/S`, and the version's number. */
  readonly onVersion?: ((secret: string, version: string) => void) | undefined;
}

interface Entry {
  readonly secret: string;
  value?: SecretValue | undefined;
  /** Of the value. */
  readAtMs: number;
  refreshAtMs: number;
  askedAtMs: number;
  failure?: { readonly error: SecretError; readonly untilMs: number } | undefined;
  flight?: Promise<SecretValue> | undefined;
}

/** Opens a cache of secrets; Secret Manager is reached at the first read. */
export function openSecretCache(options: SecretCacheOptions): SecretCache {
  const manager = openSecretManager();
  const refresher = new Refresher(manager, options);
  const clock = options.clock ?? systemClock;
  const entries = new Map<string, Entry>();
  let closed = false;

  return {
    async read(secret, { fresh = false } = {}) {
      const name = fullName(secret, options.projectId);
      if (closed) throw unavailable(name, new Error('The cache is closed'));
      const entry = entries.get(name) ?? newEntry(name);
      if (!entries.has(name)) keep(entries, entry);
      if (entry.flight) return entry.flight;
      const now = clock();
      const mayAsk = now - entry.askedAtMs >= FRESH_EVERY_MS;
      if (entry.value && now < entry.refreshAtMs && !(fresh && mayAsk)) return entry.value;
      if (entry.failure && now < entry.failure.untilMs) throw entry.failure.error;
      entry.flight = refresher.refresh(entry).finally(() => {
        entry.flight = undefined;
      });
      return entry.flight;
    },
    async close() {
      closed = true;
      const flights = [...entries.values()].flatMap(({ flight }) => (flight ? [flight] : []));
      await Promise.allSettled(flights);
      for (const { value } of entries.values()) value?.wipe();
      entries.clear();
      await manager.close();
    },
  };
}

class Refresher {
  private readonly manager: SecretManager;
  private readonly log: Log;
  private readonly clock: Clock;
  private readonly random: () => number;
  private readonly ttlMs: number;
  private readonly staleMs: number;
  private readonly deadlineMs: number;
  private readonly onAttempt: OnAttempt | undefined;
  private readonly onVersion: SecretCacheOptions['onVersion'];

  constructor(manager: SecretManager, options: SecretCacheOptions) {
    this.manager = manager;
    this.log = options.log ?? noLog;
    this.onAttempt = options.onAttempt;
    this.onVersion = options.onVersion;
    this.clock = options.clock ?? systemClock;
    this.random = options.random ?? Math.random;
    this.ttlMs = options.ttlMs ?? TTL_MS;
    this.staleMs = options.staleMs ?? STALE_MS;
    this.deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  }

  async refresh(entry: Entry): Promise<SecretValue> {
    entry.askedAtMs = this.clock();
    const name = `${entry.secret}/versions/${ALIAS}`;
    try {
      // Who has a value to go on with does not wait for a server to come back.
      const { version, bytes } = await this.manager.access(name, {
        deadlineMs: this.deadlineMs,
        retries: entry.value === undefined,
      });
      this.onAttempt?.({ resource: name });
      return this.take(entry, version, bytes);
    } catch (error) {
      this.onAttempt?.({ resource: name, error });
      return this.bridge(entry, error);
    }
  }

  private take(entry: Entry, version: string, bytes: Buffer): SecretValue {
    const now = this.clock();
    entry.readAtMs = now;
    entry.refreshAtMs = now + this.jittered(this.ttlMs);
    entry.failure = undefined;
    const before = entry.value;
    if (before?.version === version && before.holds(bytes)) {
      bytes.fill(0);
      return before;
    }
    before?.wipe();
    const value = new SecretValue(entry.secret, version, bytes);
    entry.value = value;
    this.onVersion?.(entry.secret, version);
    this.log('NOTICE', 'Secret read', { secret: entry.secret, version, before: before?.version });
    return value;
  }

  /** An outage is bridged with the value that we have; a refusal is not, or a withdrawn grant would not bite. */
  private bridge(entry: Entry, error: unknown): SecretValue {
    const now = this.clock();
    const { value, secret } = entry;
    const isRefusal = typeof error === 'object' && error !== null && 'code' in error && REFUSALS.has(error.code);
    const ageMs = now - entry.readAtMs;
    if (value && !isRefusal && ageMs < this.staleMs) {
      entry.refreshAtMs = now + this.jittered(RETRY_MS);
      this.log('WARNING', 'Secret Manager cannot be reached; an earlier read of the secret is used', {
        secret,
        version: value.version,
        ageMs,
        error: messageOf(error),
      });
      return value;
    }
    value?.wipe();
    entry.value = undefined;
    const failure = isRefusal ? refused(secret, error) : unavailable(secret, error);
    entry.failure = { error: failure, untilMs: now + FAILED_MS };
    throw failure;
  }

  private jittered(ms: number): number {
    return ms * (1 - JITTER + 2 * JITTER * this.random());
  }
}

function fullName(secret: string, projectId: string): string {
  if (FULL_NAME.test(secret)) return secret;
  if (SHORT_NAME.test(secret)) return `projects/${projectId}/secrets/${secret}`;
  throw new ConfigError([
    {
      path: 'secret',
      message: `is ${JSON.stringify(secret)}, no name of a secret`,
      remedy: `Write its short name or projects/P/secrets/S; the version read is always the one of alias ${ALIAS}`,
    },
  ]);
}

function newEntry(secret: string): Entry {
  const never = Number.NEGATIVE_INFINITY;
  return { secret, readAtMs: never, refreshAtMs: never, askedAtMs: never };
}

function keep(entries: Map<string, Entry>, entry: Entry): void {
  if (entries.size >= MAX_SECRETS) {
    const message = `names a secret more than the ${MAX_SECRETS} that one process reads`;
    throw new ConfigError([{ path: 'secret', message, remedy: 'Use fewer secrets, or another process' }]);
  }
  entries.set(entry.secret, entry);
}

function refused(secret: string, cause: unknown): SecretError {
  return new SecretError(`Cannot read ${secret} by its alias ${ALIAS}: Secret Manager refuses`, {
    code: 'SECRET_REFUSED',
    remedy: `Check that it exists, that alias ${ALIAS} names an enabled version, and that this identity has secretmanager.secretAccessor on it`,
    cause,
  });
}

function unavailable(secret: string, cause: unknown): SecretError {
  return new SecretError(`Cannot read ${secret} now, and no earlier read of it is young enough`, {
    code: 'SECRET_UNAVAILABLE',
    remedy: 'Nothing to do where Secret Manager comes back by itself: it is tried again at the next read',
    cause,
  });
}
