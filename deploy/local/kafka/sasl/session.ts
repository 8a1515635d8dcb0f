import { apiVersions } from '../protocol/api-versions.ts';
import { MalformedError } from '../protocol/byte-reader.ts';
import { errorCode } from '../protocol/error-code.ts';
import { saslAuthenticate, saslHandshake } from '../protocol/sasl.ts';
import type { Credentials } from './credentials.ts';
import { type Identity, type SaslExchange, type SaslMechanism, SaslRefusal, type VerifyToken } from './mechanism.ts';
import { oauthbearerExchange } from './oauthbearer.ts';
import { plainExchange } from './plain.ts';
import { scramExchange } from './scram.ts';

const NOTHING = Buffer.alloc(0);
/** A session is not authenticated anew more often than this. */
const REAUTHENTICATE_AFTER_MS = 1000;

/** How clients of a listener prove who they are. */
export interface SaslRules {
  readonly mechanisms: readonly SaslMechanism[];
  /** After this a connection must authenticate anew, or is closed at its next request; absent: as long as the token. */
  readonly sessionLifetimeMs?: number;
  /** Needed where OAUTHBEARER is offered. */
  readonly verifyToken?: VerifyToken;
}

/** How an attempt to authenticate ended. */
export interface Attempt {
  /** `SSL`: by a client certificate. */
  readonly mechanism: SaslMechanism | 'SSL';
  /** Whether the connection was authenticated before (KIP-368). */
  readonly again: boolean;
  /** Who it was; undefined where it failed. */
  readonly principal: string | undefined;
  /** Why it failed, for the broker's side only; never holds a password or a token. */
  readonly refusal: string | undefined;
}

interface Before {
  readonly mechanism: SaslMechanism;
  readonly principal: string;
}

/** What SaslAuthenticate answers. */
export interface AuthenticateAnswer {
  readonly errorCode: number;
  readonly errorMessage: string | null;
  readonly authBytes: Buffer;
  readonly sessionLifetimeMs: bigint;
}

type State =
  | { readonly name: 'open' }
  | { readonly name: 'start' }
  | { readonly name: 'handshake' }
  | { readonly name: 'exchange'; readonly exchange: SaslExchange; readonly bare: boolean }
  | { readonly name: 'otherMechanism'; readonly refusal: string }
  | { readonly name: 'over' };

/**
 * Who a connection is, and what it may ask for now. As Apache Kafka's SaslServerAuthenticator.
 *
 * ```
 * start ─ApiVersions→ handshake ─SaslHandshake→ exchange ─SaslAuthenticate…→ open ─SaslHandshake→ exchange …
 * start ─SaslHandshake────────────────────────↗   └─ refused → over              └─ lifetime over → closed
 * ```
 * Every other request before `open` closes the connection.
 */
export class SaslSession {
  principal: string | undefined;
  private readonly rules: SaslRules | undefined;
  private readonly credentials: Credentials;
  private readonly now: () => number;
  private readonly onAttempt: (attempt: Attempt) => void;
  private state: State;
  private mechanism: SaslMechanism | undefined;
  private before: Before | undefined;
  private begunAtMs = Number.NEGATIVE_INFINITY;
  private expiresAtMs = Number.POSITIVE_INFINITY;

  /** @param options.principal who the connection is already: the certificate's subject, or nobody in particular */
  constructor(options: {
    rules: SaslRules | undefined;
    principal: string;
    credentials: Credentials;
    now: () => number;
    onAttempt: (attempt: Attempt) => void;
  }) {
    this.rules = options.rules;
    this.credentials = options.credentials;
    this.now = options.now;
    this.onAttempt = options.onAttempt;
    this.principal = options.rules ? undefined : options.principal;
    this.state = options.rules ? { name: 'start' } : { name: 'open' };
  }

  /** Whether the connection may be trusted with large requests. */
  get isOpen(): boolean {
    return this.state.name === 'open';
  }

  /** Whether the next frame is a token without a request around it, as after SaslHandshake version 0. */
  get takesBareToken(): boolean {
    return this.state.name === 'exchange' && this.state.bare;
  }

  /** Whether the connection is to be closed when it has its answer. */
  get isOver(): boolean {
    return this.state.name === 'over';
  }

  /** @throws {MalformedError} the request has no place here: close the connection without an answer */
  admit(apiKey: number): void {
    if (this.state.name === 'open') {
      if (apiKey === saslHandshake.key && this.mayBeginAgain()) return;
      if (this.now() > this.expiresAtMs) throw new MalformedError('The session is over and was not authenticated anew');
      return;
    }
    if (!this.awaited().includes(apiKey)) {
      throw new MalformedError(`A request of API ${apiKey} in the ${this.state.name} of SASL`);
    }
  }

  /** ApiVersions was answered: before authentication it is asked at most once. */
  versionsAnswered(): void {
    if (this.state.name === 'start') this.state = { name: 'handshake' };
  }

  /** @param version of SaslHandshake: 0 announces bare tokens */
  handshake(wanted: string, version: number): { errorCode: number; mechanisms: readonly string[] } {
    if (!this.rules || this.isOpen) return { errorCode: errorCode.illegalSaslState, mechanisms: [] };
    const { mechanisms } = this.rules;
    const mechanism = mechanisms.find((offered) => offered === wanted);
    if (!mechanism) {
      this.state = { name: 'over' };
      return { errorCode: errorCode.unsupportedSaslMechanism, mechanisms };
    }
    if (this.before && this.before.mechanism !== mechanism) {
      const refusal = `SASL mechanism '${mechanism}' requested by client is not supported for re-authentication of mechanism '${this.before.mechanism}'`;
      this.state = { name: 'otherMechanism', refusal };
    } else {
      this.state = { name: 'exchange', exchange: this.open(mechanism), bare: version === 0 };
    }
    this.mechanism = mechanism;
    return { errorCode: errorCode.none, mechanisms };
  }

  /** Takes a token out of SaslAuthenticate; a refusal is an answer, after which the session is over. */
  async authenticate(token: Buffer): Promise<AuthenticateAnswer> {
    if (this.isOpen) {
      const errorMessage = 'SaslAuthenticate request received after successful authentication';
      return { errorCode: errorCode.illegalSaslState, errorMessage, authBytes: NOTHING, sessionLifetimeMs: 0n };
    }
    try {
      return { errorCode: errorCode.none, errorMessage: null, ...(await this.take(token)) };
    } catch (error) {
      if (!(error instanceof SaslRefusal)) throw error;
      const errorMessage = error.told ? error.message : this.untoldRefusal();
      return {
        errorCode: errorCode.saslAuthenticationFailed,
        errorMessage,
        authBytes: NOTHING,
        sessionLifetimeMs: 0n,
      };
    }
  }

  /** @throws {SaslRefusal} there is no answer to a bare token that is refused: close the connection */
  async authenticateBare(token: Buffer): Promise<Buffer> {
    return (await this.take(token)).authBytes;
  }

  private async take(token: Buffer): Promise<{ authBytes: Buffer; sessionLifetimeMs: bigint }> {
    const { state } = this;
    try {
      if (state.name === 'otherMechanism') throw new SaslRefusal(state.refusal, { told: true });
      if (state.name !== 'exchange') throw new MalformedError(`A token in the ${state.name} of SASL`);
      const { bytes, identity } = await state.exchange.evaluate(token);
      const lifetimeMs = identity ? this.complete(identity) : 0;
      return { authBytes: bytes, sessionLifetimeMs: BigInt(Math.trunc(lifetimeMs)) };
    } catch (error) {
      this.state = { name: 'over' };
      this.tell(undefined, error);
      throw error;
    }
  }

  /** @returns ms until the session must be authenticated anew; 0: never */
  private complete({ principal, expiresAtMs }: Identity): number {
    if (this.before && this.before.principal !== principal) {
      const message = `Cannot change principals during re-authentication from User.${this.before.principal}: User.${principal}`;
      throw new SaslRefusal(message, { told: true });
    }
    const now = this.now();
    const limits = [this.rules?.sessionLifetimeMs, expiresAtMs === undefined ? undefined : expiresAtMs - now];
    const lifetimeMs = Math.max(0, Math.min(...limits.filter((limit) => limit !== undefined)));
    this.expiresAtMs = now + lifetimeMs;
    this.principal = principal;
    this.state = { name: 'open' };
    this.tell(principal, undefined);
    return Number.isFinite(lifetimeMs) ? lifetimeMs : 0;
  }

  private mayBeginAgain(): boolean {
    const now = this.now();
    if (!Number.isFinite(this.expiresAtMs) || now - this.begunAtMs < REAUTHENTICATE_AFTER_MS) return false;
    if (this.mechanism === undefined || this.principal === undefined) return false;
    this.begunAtMs = now;
    this.before = { mechanism: this.mechanism, principal: this.principal };
    this.state = { name: 'handshake' };
    return true;
  }

  private awaited(): readonly number[] {
    if (this.state.name === 'start') return [apiVersions.key, saslHandshake.key];
    if (this.state.name === 'handshake') return [saslHandshake.key];
    return this.state.name === 'over' ? [] : [saslAuthenticate.key];
  }

  private open(mechanism: SaslMechanism): SaslExchange {
    if (mechanism === 'PLAIN') return plainExchange(this.credentials);
    if (mechanism !== 'OAUTHBEARER') return scramExchange(mechanism, this.credentials);
    const refuse: VerifyToken = () => {
      throw new Error('This listener was given no verifyToken');
    };
    return oauthbearerExchange(this.rules?.verifyToken ?? refuse);
  }

  /** Kafka does not say what was wrong: that would tell, for instance, whether a user exists. */
  private untoldRefusal(): string {
    const during = this.before ? 're-authentication' : 'authentication';
    return `Authentication failed during ${during} due to invalid credentials with SASL mechanism ${this.mechanism}`;
  }

  private tell(principal: string | undefined, error: unknown): void {
    if (this.mechanism === undefined) return;
    const refusal = error === undefined ? undefined : describe(error);
    this.onAttempt({ mechanism: this.mechanism, again: this.before !== undefined, principal, refusal });
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${describe(error.cause)}`;
}
