import type { Authorize } from './ask-registry.ts';

/** For a registry that asks for no credentials. */
export const anonymous: Authorize = async () => undefined;

/** Credentials that a reader gives anew when they were refused: from a secret cache, say. */
export type ReadFresh<T> = (fresh: boolean) => Promise<T>;

/** HTTP Basic, as Confluent Cloud's keys are sent. */
export function basic(read: ReadFresh<{ readonly username: string; readonly password: string }>): Authorize {
  return async (fresh) => {
    const { username, password } = await read(fresh);
    return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  };
}

/** A bearer token: a secret's, or an access token of our own service account. */
export function bearer(read: ReadFresh<string>): Authorize {
  return async (fresh) => `Bearer ${await read(fresh)}`;
}
