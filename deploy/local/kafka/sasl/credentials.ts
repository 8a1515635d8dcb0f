import { timingSafeEqual } from 'node:crypto';
import { KafkaError } from '../engine/kafka-error.ts';
import { errorCode } from '../protocol/error-code.ts';
import type { StateStore } from '../storage/state-store.ts';
import { keysOfPassword, keysOfSalted, type ScramKeys, type ScramMechanism, saltPassword } from './scram-keys.ts';

const PREFIX = 'credential:';
const MAX_CREDENTIALS = 10_000;
/** What PLAIN passwords are kept under. */
const PLAIN_DIGEST = 'SCRAM-SHA-256';
export const scramMechanisms = ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;

type Kind = ScramMechanism | 'PLAIN';
/** A credential in the journal: no password, and nothing that one could log in with. */
interface StoredKeys {
  readonly salt: string;
  readonly iterations: number;
  readonly storedKey: string;
  readonly serverKey: string;
}

/** The users of a broker: keys for SCRAM, which administrators change, and for PLAIN, which are given at each start. */
export class Credentials {
  private readonly byKind: Readonly<Record<Kind, Map<string, ScramKeys>>> = {
    PLAIN: new Map(),
    'SCRAM-SHA-256': new Map(),
    'SCRAM-SHA-512': new Map(),
  };
  private readonly store: StateStore;
  private readonly nobody = keysOfPassword(PLAIN_DIGEST, '');

  constructor(store: StateStore) {
    this.store = store;
    for (const kind of Object.keys(this.byKind) as Kind[]) {
      for (const [user, stored] of store.entries(`${PREFIX}${kind}:`)) {
        this.byKind[kind].set(user, revive(stored as StoredKeys));
      }
    }
  }

  /**
   * Takes the users that the broker is started with.
   *
   * For PLAIN the given password counts. For SCRAM it counts the first time that the user is seen: what an
   * administrator changed afterwards stays changed.
   */
  async seed(users: Readonly<Record<string, string>>): Promise<void> {
    for (const [user, password] of Object.entries(users)) {
      const isNew = !this.byKind.PLAIN.has(user);
      if (await this.checkPassword(user, password)) continue;
      if (isNew) {
        for (const mechanism of scramMechanisms) {
          if (!this.scram(mechanism, user)) this.put(mechanism, user, await keysOfPassword(mechanism, password));
        }
      }
      this.put('PLAIN', user, await keysOfPassword(PLAIN_DIGEST, password));
    }
  }

  /** Whether a user of PLAIN has this password; takes as long for one that is not there. */
  async checkPassword(user: string, password: string): Promise<boolean> {
    const known = this.byKind.PLAIN.get(user);
    const keys = known ?? (await this.nobody);
    const saltedPassword = await saltPassword(PLAIN_DIGEST, password, keys);
    const { storedKey } = keysOfSalted(PLAIN_DIGEST, { ...keys, saltedPassword });
    return timingSafeEqual(storedKey, keys.storedKey) && known !== undefined;
  }

  scram(mechanism: ScramMechanism, user: string): ScramKeys | undefined {
    return this.byKind[mechanism].get(user);
  }

  /** Who has a SCRAM credential, by name. */
  scramUsers(): string[] {
    return [...new Set(scramMechanisms.flatMap((mechanism) => [...this.byKind[mechanism].keys()]))].sort();
  }

  put(kind: Kind, user: string, keys: ScramKeys): void {
    const kept = this.byKind[kind];
    if (!kept.has(user) && kept.size >= MAX_CREDENTIALS) {
      const message = `There are ${kept.size} users with ${kind}: delete one that is no longer used`;
      throw new KafkaError(errorCode.policyViolation, message);
    }
    this.store.put(`${PREFIX}${kind}:${user}`, {
      salt: keys.salt.toString('base64'),
      iterations: keys.iterations,
      storedKey: keys.storedKey.toString('base64'),
      serverKey: keys.serverKey.toString('base64'),
    } satisfies StoredKeys);
    kept.set(user, keys);
  }

  remove(mechanism: ScramMechanism, user: string): void {
    this.store.delete(`${PREFIX}${mechanism}:${user}`);
    this.byKind[mechanism].delete(user);
  }
}

function revive({ salt, iterations, storedKey, serverKey }: StoredKeys): ScramKeys {
  const bytes = (text: string): Buffer => Buffer.from(text, 'base64');
  return { salt: bytes(salt), iterations, storedKey: bytes(storedKey), serverKey: bytes(serverKey) };
}
