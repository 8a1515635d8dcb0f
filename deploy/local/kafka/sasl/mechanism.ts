/** Who a client has proved to be. */
export interface Identity {
  /** The name alone, without Kafka's `User:`. */
  readonly principal: string;
  /** When what it proved itself with expires, ms since the epoch; absent: never. */
  readonly expiresAtMs?: number;
}

/** What the broker answers to one token; with an identity the exchange is complete. */
export interface SaslAnswer {
  readonly bytes: Buffer;
  readonly identity?: Identity;
}

/** One client's way through a mechanism. */
export interface SaslExchange {
  /** @throws {SaslRefusal} the exchange has failed: the connection is closed */
  evaluate(token: Buffer): Promise<SaslAnswer> | SaslAnswer;
}

/** The mechanisms that a listener can offer. */
export const saslMechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const;
export type SaslMechanism = (typeof saslMechanisms)[number];

/**
 * Decides about an OAUTHBEARER token and names its owner.
 *
 * @throws when the token is not good; the client is only told that it is not
 */
export type VerifyToken = (token: string) => Promise<Identity> | Identity;

/** A client did not prove who it is. */
export class SaslRefusal extends Error {
  override readonly name = 'SaslRefusal';
  /** Whether the client may read the message; else it would learn, for instance, that a user exists. */
  readonly told: boolean;

  constructor(message: string, options: { told: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.told = options.told;
  }
}
