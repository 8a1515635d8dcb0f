import { randomBytes } from 'node:crypto';
import type { KafkaAccess, UserPassword } from '../../../shared/adapters/kafka/kafka-auth.ts';
import { KafkaAuthError } from '../../../shared/adapters/kafka/kafka-errors.ts';
import { openCluster } from '../../../shared/adapters/kafka/wire/cluster.ts';
import { openScramCredentials, type ScramMechanism } from '../../../shared/adapters/kafka/wire/scram-credentials.ts';
import { readFields, textField } from './read-fields.ts';
import { type Strategy, StrategyRefusedError } from './strategy.ts';

const CLIENT = 'penstock-rotate-secrets';
const PASSWORD_BYTES = 32;
/** Brokers learn of a new credential from the controller's log, a moment after it was acknowledged. */
const MAX_TRIES = 40;
const RETRY_MS = 250;

/**
 * Two users that take turns: the new password is given to the one that is not in use, and the one that was in use works on
 * through the overlap. The value is `{"username", "password"}`, with whatever else stands there kept.
 *
 * @param options.admin how brokers are reached by who may alter credentials
 */
export function kafkaScram(options: {
  readonly users: readonly [string, string];
  readonly mechanism: ScramMechanism;
  readonly admin: KafkaAccess;
  readonly sleep: (ms: number) => Promise<void>;
}): Strategy {
  const { users, mechanism, admin } = options;
  const credentials = openScramCredentials(admin, CLIENT);
  return {
    async create(current) {
      const fields = current && readFields(current);
      const inUse = fields && textField(fields, 'username');
      const username = inUse === users[0] ? users[1] : users[0];
      const password = randomBytes(PASSWORD_BYTES).toString('base64url');
      return Buffer.from(JSON.stringify({ ...fields, username, password }));
    },
    async set(value, beside) {
      const user = userOf(value);
      if (!users.includes(user.username)) {
        throw new StrategyRefusedError(
          `The new version is of user ${user.username}, which is not one of ${users.join(' and ')}`,
          'Name the two users that take turns in the declaration',
        );
      }
      if (beside && userOf(beside).username === user.username) {
        throw new StrategyRefusedError(
          `The new version is of user ${user.username}, who is in use: setting it would end the old version at once`,
          'Rotate to the other user',
        );
      }
      await credentials.put(mechanism, user);
    },
    test: (value) => logIn(userOf(value), options),
    async revoke(value, keep) {
      const { username } = userOf(value);
      if (keep && userOf(keep).username === username) return;
      await credentials.remove(mechanism, username);
    },
    async close() {
      credentials.close();
    },
  };
}

function userOf(value: Buffer): UserPassword {
  const fields = readFields(value);
  return { username: textField(fields, 'username'), password: textField(fields, 'password') };
}

/** Asks a broker for its metadata as the user. */
async function logIn(user: UserPassword, { admin, mechanism, sleep }: Parameters<typeof kafkaScram>[0]): Promise<void> {
  const access = { ...admin, auth: { mechanism, credentials: async () => user } };
  for (let tries = 1; ; tries++) {
    const cluster = openCluster(access, CLIENT);
    try {
      await cluster.metadata([]);
      return;
    } catch (error) {
      if (!(error instanceof KafkaAuthError)) throw error;
      if (tries === MAX_TRIES) {
        const remedy = 'See whether the brokers offer this mechanism where the declaration says that they are';
        throw new StrategyRefusedError(`User ${user.username} cannot log in with the new password`, remedy, error);
      }
      await sleep(RETRY_MS);
    } finally {
      cluster.close();
    }
  }
}
