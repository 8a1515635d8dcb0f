import type { OnAttempt } from '../../base/audit.ts';

/** A user's name and password. */
export interface UserPassword {
  readonly username: string;
  readonly password: string;
}

/** A token for OAUTHBEARER. */
export interface BearerToken {
  readonly value: string;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
  /** Whom the token names. */
  readonly principal: string;
}

/** A client's certificate and its private key, both in PEM. */
export interface ClientCertificate {
  readonly key: string;
  readonly cert: string;
}

/**
 * How a connection proves who it is. Secrets are asked for at each connection, never kept.
 *
 * `fresh` is true after brokers refused what was given: what a cache holds then is not good enough.
 */
export type KafkaAuth =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
      readonly credentials: (fresh: boolean) => Promise<UserPassword>;
    }
  | { readonly mechanism: 'oauthbearer'; readonly token: (fresh: boolean) => Promise<BearerToken> }
  | {
      readonly mechanism: 'mtls';
      readonly certificate: (fresh: boolean) => Promise<ClientCertificate>;
      /** How often a connection looks whether its certificate is another by now; a minute unless given. */
      readonly lookEveryMs?: number;
    };

/** Where brokers are, and how they are spoken to. */
export interface KafkaAccess {
  /** `host:port` of some brokers. */
  readonly brokers: readonly string[];
  /** Undefined: no TLS. `ca` (PEM) replaces the certificate authorities that the system trusts. Always verified. */
  readonly tls: undefined | { readonly ca?: string };
  readonly auth: undefined | KafkaAuth;
  /** Is told of each connection that is attempted over our own wire. */
  readonly onAttempt?: OnAttempt | undefined;
}
