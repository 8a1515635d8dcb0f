import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { readFields, textField } from './read-fields.ts';
import { type Strategy, StrategyRefusedError } from './strategy.ts';

const KEY_BYTES = 32;

/**
 * A key that both sides read from the secret: `{"id", "key"}`, the key in base64. Who signs takes `current`; who verifies takes
 * `current`, then `previous`. The id goes with a signature, so that a verifier need not try.
 */
export function hmacKey(): Strategy {
  return {
    async create(current) {
      const fields = current && readFields(current);
      const key = randomBytes(KEY_BYTES).toString('base64');
      return Buffer.from(JSON.stringify({ ...fields, id: randomUUID(), key }));
    },
    async set() {},
    async test(value) {
      const fields = readFields(value);
      textField(fields, 'id');
      const key = Buffer.from(textField(fields, 'key'), 'base64');
      const probe = randomBytes(KEY_BYTES);
      const sign = (): Buffer => createHmac('sha256', key).update(probe).digest();
      if (key.length < KEY_BYTES || !timingSafeEqual(sign(), sign())) {
        const what = `The new key has ${key.length} bytes, fewer than ${KEY_BYTES}`;
        throw new StrategyRefusedError(what, 'Let this strategy make the key');
      }
    },
    async revoke() {},
    async close() {},
  };
}
