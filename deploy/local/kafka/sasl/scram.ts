import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Credentials } from './credentials.ts';
import { type SaslAnswer, type SaslExchange, SaslRefusal } from './mechanism.ts';
import { hash, hmac, type ScramKeys, type ScramMechanism } from './scram-keys.ts';

const NONCE_BYTES = 18;
/** Without channel binding (`n`), as Kafka's; a mandatory extension (`m=`) has to be refused and matches nothing. */
const FIRST =
  /^(?<gs2>n,(?:a=(?<authorizeAs>[^,]*))?,)(?<bare>n=(?<name>[^,]+),r=(?<nonce>[\x21-\x2b\x2d-\x7e]+)(?:,[A-Za-z]=[^,]*)*)$/;
const FINAL = /^(?<unproved>c=(?<binding>[^,]*),r=(?<nonce>[^,]*)(?:,[A-Za-z]=[^,]*)*),p=(?<proof>[A-Za-z0-9+/]+=*)$/;

interface First {
  readonly user: string;
  readonly keys: ScramKeys;
  /** Of the first message: what the final one has to repeat. */
  readonly gs2: string;
  readonly nonce: string;
  /** Both first messages, as they are signed. */
  readonly signed: string;
}

/**
 * SCRAM: both sides prove that they know the password's keys, and neither says them.
 *
 * Sources: RFC 5802 and 7677; refusals as Apache Kafka's, which tells the client nothing but that it failed.
 */
export function scramExchange(mechanism: ScramMechanism, credentials: Credentials): SaslExchange {
  let first: First | undefined;
  return {
    evaluate(token) {
      const text = token.toString('utf8');
      if (first) return finish(mechanism, first, text);
      const begun = begin(mechanism, credentials, text);
      first = begun.first;
      return begun.answer;
    },
  };
}

function begin(
  mechanism: ScramMechanism,
  credentials: Credentials,
  text: string,
): { first: First; answer: SaslAnswer } {
  const { gs2 = '', authorizeAs = '', bare = '', name = '', nonce = '' } = FIRST.exec(text)?.groups ?? {};
  if (bare === '') throw refused('The first message is not one of SCRAM without channel binding');
  const user = unescapeName(name);
  const keys = credentials.scram(mechanism, user);
  if (!keys) throw refused(`There is no user ${user} with ${mechanism}`);
  if (authorizeAs !== '' && unescapeName(authorizeAs) !== user) {
    const message = 'Authentication failed: Client requested an authorization id that is different from username';
    throw new SaslRefusal(message, { told: true });
  }
  const ourNonce = `${nonce}${randomBytes(NONCE_BYTES).toString('base64url')}`;
  const answer = `r=${ourNonce},s=${keys.salt.toString('base64')},i=${keys.iterations}`;
  const first = { user, keys, gs2, nonce: ourNonce, signed: `${bare},${answer}` };
  return { first, answer: { bytes: Buffer.from(answer) } };
}

function finish(mechanism: ScramMechanism, { user, keys, gs2, nonce, signed }: First, text: string): SaslAnswer {
  const found = FINAL.exec(text)?.groups ?? {};
  if (found.unproved === undefined) throw refused('The final message is not one of SCRAM');
  if (found.nonce !== nonce) throw refused('The final message is of another exchange');
  if (Buffer.from(found.binding ?? '', 'base64').toString('utf8') !== gs2) {
    throw refused('The final message repeats another header');
  }
  const proof = Buffer.from(found.proof ?? '', 'base64');
  const message = `${signed},${found.unproved}`;
  const clientKey = xor(proof, hmac(mechanism, keys.storedKey, message));
  if (!timingSafeEqual(hash(mechanism, clientKey), keys.storedKey)) throw refused(`Wrong password of ${user}`);
  const signature = hmac(mechanism, keys.serverKey, message).toString('base64');
  return { bytes: Buffer.from(`v=${signature}`), identity: { principal: user } };
}

/** `,` and `=` travel as `=2C` and `=3D`; another `=` has to be refused. */
function unescapeName(name: string): string {
  return name.replaceAll(/=(..)?/g, (sequence) => {
    if (sequence === '=2C') return ',';
    if (sequence === '=3D') return '=';
    throw refused(`The name holds ${sequence}`);
  });
}

function xor(left: Buffer, right: Buffer): Buffer {
  return Buffer.from(left.map((byte, at) => byte ^ (right[at] ?? 0)));
}

function refused(message: string): SaslRefusal {
  return new SaslRefusal(message, { told: false });
}
