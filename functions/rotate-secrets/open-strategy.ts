import type { Clock } from '../../shared/base/clock.ts';
import { ConfigError } from '../../shared/base/errors.ts';
import { type CredentialSources, kafkaAccess } from '../../shared/connect/kafka-access.ts';
import type { Declaration, RotatedSecret } from '../../shared/model/config/declaration.ts';
import { hmacKey } from './strategies/hmac-key.ts';
import { httpHook } from './strategies/http-hook.ts';
import { kafkaScram } from './strategies/kafka-scram.ts';
import { generatedPassword } from './strategies/password.ts';
import type { Strategy } from './strategies/strategy.ts';

/**
 * Makes a declared secret's strategy.
 *
 * @throws {ConfigError} for a strategy that needs what is not declared
 */
export async function openStrategy(
  { name, strategy }: RotatedSecret,
  {
    declaration,
    sources,
    clock,
    sleep,
  }: {
    readonly declaration: Declaration;
    readonly sources: CredentialSources;
    readonly clock: Clock;
    readonly sleep: (ms: number) => Promise<void>;
  },
): Promise<Strategy> {
  switch (strategy.kind) {
    case 'hmac-key':
      return hmacKey();
    case 'password':
      return generatedPassword(strategy);
    case 'http-hook': {
      const { url, key } = strategy;
      return httpHook({ secret: name, url, clock, key: async () => (await sources.secrets.read(key)).bytes() });
    }
    case 'kafka-scram': {
      const { users, mechanism, admin: administrator } = strategy;
      const { kafka } = declaration;
      if (!kafka) {
        const message = `is of strategy ${strategy.kind}, but no brokers are declared`;
        throw new ConfigError([{ path: `secrets.${name}`, message, remedy: 'Add `kafka: { brokers: … }`' }]);
      }
      const asAdmin = { ...kafka, auth: { mechanism, secret: administrator ?? name } };
      // Brokers that ask nobody who they are take an administrator as they take everybody.
      const isOpen = administrator === undefined && kafka.auth === undefined;
      const admin = await kafkaAccess(isOpen ? kafka : asAdmin, sources);
      return kafkaScram({ users, mechanism, admin, sleep });
    }
  }
}
