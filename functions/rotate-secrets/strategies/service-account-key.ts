import {
  type ServiceAccountKey,
  ServiceAccountKeyError,
  type ServiceAccountKeys,
  signInByKey,
} from '../../../shared/adapters/identity/service-account-keys.ts';
import type { Clock } from '../../../shared/base/clock.ts';
import { readFields, textField } from './read-fields.ts';
import { type Strategy, StrategyRefusedError } from './strategy.ts';

/** Google takes a new key everywhere within a minute, as a rule. */
const MAX_TRIES = 40;
const RETRY_MS = 2_000;

/**
 * A key of a Google service account, as the credentials file that Google's libraries read. The old one is disabled after the overlap, so
 * that going back can enable it, and deleted by the rotation after.
 *
 * IAM makes the key, so a crash may leave one that no version holds: keys that are younger than the one in use, and enabled, are deleted
 * before another is made. The account's keys belong to its secret.
 */
export function serviceAccountKey(options: {
  readonly keys: ServiceAccountKeys;
  readonly clock: Clock;
  readonly sleep: (ms: number) => Promise<void>;
}): Strategy {
  const { keys } = options;
  return {
    async create(current) {
      const fields = current && readFields(current);
      if (fields) await reap(keys, [textField(fields, 'private_key_id')]);
      const made = await keys.create();
      try {
        return Buffer.from(JSON.stringify({ ...fields, ...readFields(made) }));
      } finally {
        made.fill(0);
      }
    },
    async set(value) {
      const { keyId } = keyOf(value);
      const known = (await keys.list()).find(({ id }) => id === keyId);
      if (!known) {
        const what = `Key ${keyId} is none of the account’s keys`;
        throw new StrategyRefusedError(what, 'Rotate anew: the key was deleted');
      }
      if (known.isDisabled) await keys.change(keyId, 'enable');
    },
    test: (value) => signIn(value, options),
    async revoke(value, keep, ending) {
      const { keyId } = keyOf(value);
      const kept = keep && keyOf(keep).keyId;
      if (keyId === kept) return;
      await keys.change(keyId, ending === 'destroy' ? 'delete' : 'disable');
      // What the overlap before this one left disabled is out of reach of going back now.
      if (kept !== undefined) await reap(keys, [kept, keyId], { alsoDisabled: ending === 'disable' });
    },
    async close() {},
  };
}

function keyOf(value: Buffer): Parameters<typeof signInByKey>[0] {
  const fields = readFields(value);
  return {
    clientEmail: textField(fields, 'client_email'),
    keyId: textField(fields, 'private_key_id'),
    privateKey: textField(fields, 'private_key'),
    tokenUri: textField(fields, 'token_uri'),
  };
}

/**
 * Deletes what no version holds. Keys that were there before those that are held are somebody else's, as long as they are enabled.
 *
 * @param held ids of keys that versions hold
 */
async function reap(
  keys: ServiceAccountKeys,
  held: readonly string[],
  { alsoDisabled = false }: { readonly alsoDisabled?: boolean } = {},
): Promise<void> {
  const all = await keys.list();
  const heldSinceMs = Math.min(...all.filter(({ id }) => held.includes(id)).map(({ createdAtMs }) => createdAtMs));
  const isOrphan = ({ id, isDisabled, createdAtMs }: ServiceAccountKey): boolean => {
    if (held.includes(id)) return false;
    return isDisabled ? alsoDisabled : createdAtMs >= heldSinceMs;
  };
  for (const { id } of all.filter(isOrphan)) await keys.change(id, 'delete');
}

async function signIn(value: Buffer, { clock, sleep }: Parameters<typeof serviceAccountKey>[0]): Promise<void> {
  const key = keyOf(value);
  for (let tries = 1; ; tries++) {
    try {
      return await signInByKey(key, clock());
    } catch (error) {
      const isRefused = error instanceof ServiceAccountKeyError && !error.retryable;
      if (!isRefused) throw error;
      if (tries === MAX_TRIES) {
        const what = `Nobody can sign in by the new key ${key.keyId} of ${key.clientEmail}`;
        throw new StrategyRefusedError(what, 'See whether the account is enabled, and policies allow keys', error);
      }
      await sleep(RETRY_MS);
    }
  }
}
