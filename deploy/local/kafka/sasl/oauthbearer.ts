import { type Identity, type SaslExchange, SaslRefusal, type VerifyToken } from './mechanism.ts';

const SEPARATOR = '\x01';
const HEADER = /^n,(?:a=([^,]*))?,$/;
const PAIR = /^([A-Za-z]+)=([\x20-\x7e\t\r\n]*)$/;
const BEARER = /^Bearer ([A-Za-z0-9._~+/-]+=*)$/i;
const INVALID_TOKEN = JSON.stringify({ status: 'invalid_token' });

/**
 * OAUTHBEARER: the client's first message carries a bearer token.
 *
 * A token that is not good is answered with a status, and the client ends the exchange with one 0x01. Sources: RFC 7628, section 3;
 * Apache Kafka's server.
 */
export function oauthbearerExchange(verifyToken: VerifyToken): SaslExchange {
  let refusedToken: unknown;
  return {
    async evaluate(bytes) {
      const text = bytes.toString('latin1');
      if (refusedToken !== undefined) {
        throw new SaslRefusal(INVALID_TOKEN, { told: text === SEPARATOR, cause: refusedToken });
      }
      const { authorizeAs, token } = readFirst(text);
      let identity: Identity;
      try {
        identity = await verifyToken(token);
      } catch (error) {
        refusedToken = error;
        return { bytes: Buffer.from(INVALID_TOKEN) };
      }
      if (authorizeAs !== '' && authorizeAs !== identity.principal) {
        const message = `Authentication failed: Client requested an authorization id (${authorizeAs}) that is different from the token's principal name (${identity.principal})`;
        throw new SaslRefusal(message, { told: true });
      }
      return { bytes: Buffer.alloc(0), identity };
    },
  };
}

/** `n,[a=authzid],` 0x01 `key=value` 0x01 … 0x01; further keys are extensions, which are read by nobody here. */
function readFirst(text: string): { authorizeAs: string; token: string } {
  const [header = '', ...rest] = text.split(SEPARATOR);
  const [authorizeAs] = HEADER.exec(header)?.slice(1) ?? refuse('It begins with another header');
  const pairs = new Map<string, string>();
  if (rest.splice(-2).join('') !== '') refuse('It does not end with two 0x01');
  for (const text of rest) {
    const [, key = '', value = ''] = PAIR.exec(text) ?? refuse('It holds what is no pair of key and value');
    pairs.set(key, value);
  }
  const [, token] = BEARER.exec(pairs.get('auth') ?? '') ?? refuse('It has no auth=Bearer TOKEN');
  return { authorizeAs: authorizeAs ?? '', token: token ?? '' };
}

function refuse(why: string): never {
  throw new SaslRefusal(`The first message is not one of OAUTHBEARER. ${why}`, { told: false });
}
