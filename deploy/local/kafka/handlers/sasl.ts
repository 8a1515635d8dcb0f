import type { RequestOf, ResponseOf } from '../protocol/api.ts';
import type { saslAuthenticate, saslHandshake } from '../protocol/sasl.ts';
import type { Call } from './route.ts';

/** Answers SaslHandshake. */
export function answerSaslHandshake(
  { mechanism }: RequestOf<typeof saslHandshake>,
  { session, version }: Call,
): ResponseOf<typeof saslHandshake> {
  return session.handshake(mechanism, version);
}

/** Answers SaslAuthenticate. */
export function answerSaslAuthenticate(
  { authBytes }: RequestOf<typeof saslAuthenticate>,
  { session }: Call,
): Promise<ResponseOf<typeof saslAuthenticate>> {
  return session.authenticate(authBytes);
}
