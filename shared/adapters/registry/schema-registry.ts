import type { OnAttempt } from '../../base/audit.ts';
import type { RegisteredSchema, SchemaBook, UnusableSchema } from '../../model/formats/schema-book.ts';
import { type Authorize, askRegistry, fieldOf, type RegistryAddress } from './ask-registry.ts';
import { fetchSchema } from './fetch-schema.ts';

/** A schema's id means the same for ever; that a schema is absent does not. */
export interface SchemaRegistry extends SchemaBook {
  /** @throws {RegistryUnavailableError} when the registry cannot be asked: the records wait */
  prepare(missing: () => readonly number[]): Promise<void>;
  /**
   * The newest schema of a subject, for planning: records name theirs by id.
   *
   * @throws {RegistryUnavailableError} when the registry cannot be asked
   */
  latest(subject: string): Promise<RegisteredSchema | UnusableSchema | 'absent'>;
  close(): void;
}

/** How to open a registry. */
export interface RegistryOptions {
  /** `https://host[/path]`, without credentials. */
  readonly url: string;
  readonly authorize: Authorize;
  /** Of one request; 5,000 unless given. */
  readonly timeoutMs?: number;
  /** Before the second attempt; 200 unless given. */
  readonly firstDelayMs?: number;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
  /** Is told of each request. */
  readonly onAttempt?: OnAttempt | undefined;
}

const TIMEOUT_MS = 5_000;
const FIRST_DELAY_MS = 200;
const MAX_SCHEMAS = 1_000;
/** Ids that do not exist cost little to remember, and a request each to forget. */
const MAX_ABSENT = 50_000;
const ABSENT_FOR_MS = 30_000;
const MAX_CONCURRENT = 8;

interface Held {
  readonly schema: RegisteredSchema | UnusableSchema;
  /** The batch that used it last. */
  usedIn: number;
}

/**
 * Opens a client of a registry that speaks Confluent's protocol; nothing is asked before a record needs it.
 *
 * @throws {RangeError} for an address that is none, or that holds credentials
 */
export function openSchemaRegistry(options: RegistryOptions): SchemaRegistry {
  const { clock = Date.now } = options;
  const closing = new AbortController();
  const address: RegistryAddress = {
    url: checkedUrl(options.url),
    authorize: options.authorize,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    firstDelayMs: options.firstDelayMs ?? FIRST_DELAY_MS,
    signal: closing.signal,
    onAttempt: options.onAttempt,
  };
  const held = new Map<number, Held>();
  /** Milliseconds since 1970; those before are kept for batches in hand when room is made. */
  let absentSince = new Map<number, number>();
  let absentBefore = new Map<number, number>();
  const flights = new Map<number, Promise<void>>();
  let batch = 0;

  const get: SchemaBook['get'] = (id) => {
    const entry = held.get(id);
    if (!entry) return absentSince.has(id) || absentBefore.has(id) ? 'absent' : undefined;
    entry.usedIn = batch;
    return entry.schema;
  };
  const load = (id: number): Promise<void> => {
    const flight = flights.get(id);
    if (flight) return flight;
    const started = fetchSchema(address, id)
      .then((schema) => {
        if (schema === 'absent') absentSince.set(id, clock());
        else held.set(id, { schema, usedIn: batch });
      })
      .finally(() => flights.delete(id));
    flights.set(id, started);
    return started;
  };
  /** Between batches alone, and never what was used last: what a batch found must not vanish before it is mapped. */
  const forget = (): void => {
    batch++;
    if (absentSince.size > MAX_ABSENT) {
      absentBefore = absentSince;
      absentSince = new Map();
    }
    if (held.size <= MAX_SCHEMAS) return;
    const oldestFirst = [...held].sort(([, a], [, b]) => a.usedIn - b.usedIn);
    for (const [id] of oldestFirst.slice(0, held.size - MAX_SCHEMAS)) held.delete(id);
  };
  return {
    get,
    needs: (id) => !held.has(id) && (absentSince.get(id) ?? Number.NEGATIVE_INFINITY) <= clock() - ABSENT_FOR_MS,
    async prepare(missing) {
      forget();
      // Another batch may have made room meanwhile.
      for (let ids = missing(); ids.length > 0; ids = missing()) await atMost(MAX_CONCURRENT, ids, load);
    },
    latest: async (subject) => {
      const answer = await askRegistry(address, `/subjects/${encodeURIComponent(subject)}/versions/latest`);
      const id = typeof answer === 'string' ? undefined : fieldOf(answer, 'id');
      return typeof id === 'number' ? await fetchSchema(address, id) : 'absent';
    },
    close: () => closing.abort(),
  };
}

/** Runs a step for each, so many at once; all have ended when it throws. */
async function atMost<T>(count: number, items: readonly T[], step: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) await step(item);
  };
  const settled = await Promise.allSettled(Array.from({ length: Math.min(count, items.length) }, worker));
  const failed = settled.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) throw new RangeError("The registry's address is no http(s) URL");
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new RangeError(
      `The registry's address at ${url.host} holds more than host and path: put credentials into a secret`,
    );
  }
  return text;
}
