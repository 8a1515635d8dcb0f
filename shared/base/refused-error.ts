import { PenstockError } from './errors.ts';

/**
 * Why a door does not let a request in. Nothing of a request is in these words: they stay few, however much is refused, so that
 * refusals can be counted by them.
 */
export type RefusalReason =
  | 'no bearer token'
  | 'several Authorization headers'
  | 'token too long'
  | 'signature taken away'
  | 'no JSON Web Token'
  | 'issuer not trusted'
  | 'not signed by its issuer'
  | 'expired'
  | 'not valid yet'
  | 'valid for too long'
  | 'made for another audience'
  | 'claims that are not taken'
  | 'caller not on the list'
  | 'subscription not served'
  | 'not the account of its subscription'
  | 'not from this machine'
  | 'nobody signed in'
  | 'sign-in not begun here'
  | 'sign-in not completed'
  | 'form of another page';

/** Whom a request comes from, as a verified signature says. */
export interface KnownCaller {
  readonly name: string;
  readonly issuer: string;
  readonly subject?: string | undefined;
}

/** A door does not let a request in, or not to what it asks for. */
export class RefusedError extends PenstockError {
  readonly reason: RefusalReason;
  /** Undefined where nothing was verified: what a token says of itself is then anybody's word. */
  readonly caller: KnownCaller | undefined;

  constructor(
    message: string,
    details: {
      readonly code: string;
      readonly remedy: string;
      readonly reason: RefusalReason;
      readonly caller?: KnownCaller | undefined;
      readonly cause?: unknown;
    },
  ) {
    super(message, { ...details, retryable: false });
    this.reason = details.reason;
    this.caller = details.caller;
  }
}
