import { randomInt } from 'node:crypto';
import type { CharacterClass } from '../../../shared/model/config/declaration.ts';
import { readFields, textField } from './read-fields.ts';
import { type Strategy, StrategyRefusedError } from './strategy.ts';

/** None that a shell, a URL or a connection string would read as its own. */
const CHARACTERS: Readonly<Record<CharacterClass, string>> = {
  lower: 'abcdefghijklmnopqrstuvwxyz',
  upper: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
  digit: '0123456789',
  symbol: '-_.~',
};

export interface PasswordPolicy {
  readonly length: number;
  /** At least one character of each, and none of others. */
  readonly classes: readonly CharacterClass[];
}

/** A password by a policy, in the field `password` of a JSON object whose other fields are kept. */
export function generatedPassword(policy: PasswordPolicy): Strategy {
  return {
    async create(current) {
      const fields = current && readFields(current);
      return Buffer.from(JSON.stringify({ ...fields, password: makePassword(policy) }));
    },
    async set() {},
    async test(value) {
      const password = textField(readFields(value), 'password');
      if (!meetsPolicy(password, policy)) {
        throw new StrategyRefusedError('The new password does not meet its policy', 'Let this strategy make it');
      }
    },
    async revoke() {},
    async close() {},
  };
}

/** A password of the policy, each as likely as any other. */
export function makePassword(policy: PasswordPolicy): string {
  const all = policy.classes.map((name) => CHARACTERS[name]).join('');
  for (;;) {
    const password = Array.from({ length: policy.length }, () => all[randomInt(all.length)]).join('');
    // Placing one of each class would make some passwords likelier than others.
    if (meetsPolicy(password, policy)) return password;
  }
}

function meetsPolicy(password: string, { length, classes }: PasswordPolicy): boolean {
  const known = classes.map((name) => CHARACTERS[name]);
  const has = (characters: string): boolean => [...password].some((one) => characters.includes(one));
  const isKnown = [...password].every((one) => known.some((characters) => characters.includes(one)));
  return password.length === length && isKnown && known.every(has);
}
