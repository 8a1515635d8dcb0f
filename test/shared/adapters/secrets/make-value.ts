import { SecretValue } from '../../../../shared/adapters/secrets/secret-value.ts';

/** A value as the cache hands it out. */
export function makeValue(content: string | Buffer | object): SecretValue {
  const isBytes = typeof content === 'string' || Buffer.isBuffer(content);
  return new SecretValue('projects/p/secrets/registry', '7', Buffer.from(isBytes ? content : JSON.stringify(content)));
}
