import { openServiceAccountKeys } from '../../shared/adapters/identity/service-account-keys.ts';
import { readKeyAndCertificate } from '../../shared/adapters/secrets/read-credentials.ts';
import type { Clock } from '../../shared/base/clock.ts';
import { ConfigError } from '../../shared/base/errors.ts';
import { type CredentialSources, kafkaAccess } from '../../shared/connect/kafka-access.ts';
import type { Declaration, RotatedSecret } from '../../shared/model/config/declaration.ts';
import { command } from './strategies/command.ts';
import { hmacKey } from './strategies/hmac-key.ts';
import { httpHook } from './strategies/http-hook.ts';
import { kafkaScram } from './strategies/kafka-scram.ts';
import { generatedPassword } from './strategies/password.ts';
import { serviceAccountKey } from './strategies/service-account-key.ts';
import type { Strategy } from './strategies/strategy.ts';
import { tlsCertificate } from './strategies/tls-certificate.ts';

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
    case 'command':
      return command({ ...strategy, secret: name });
    case 'service-account-key': {
      const token = async (): Promise<string> => (await sources.googleToken(false)).value;
      return serviceAccountKey({ keys: openServiceAccountKeys({ ...strategy, token }), clock, sleep });
    }
    case 'tls-certificate': {
      const authority = async () => {
        // Spreading what was read would leave the key behind: it shows in nothing that is copied.
        const { key, cert } = readKeyAndCertificate(await sources.secrets.read(strategy.authority));
        return { key, cert };
      };
      const { kafka } = declaration;
      const brokers = kafka?.auth?.mechanism === 'mtls' ? await kafkaAccess(kafka, sources) : undefined;
      return tlsCertificate({ ...strategy, authority, brokers, clock });
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
