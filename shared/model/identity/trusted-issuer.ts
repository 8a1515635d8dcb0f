/** How an issuer's claims are read. */
export type ClaimShape = 'google' | 'okta' | 'entra' | 'oidc';

/** An issuer whose tokens open doors. */
export interface TrustedIssuer {
  /** Exactly as in `iss`; its discovery document names the keys. */
  readonly issuer: string;
  readonly shape: ClaimShape;
  /** What its tokens must be made for; empty for the function's own URL. */
  readonly audiences: readonly string[];
  /** Clients that its tokens may have been given to (`azp`, `appid`, `cid`); empty for any. */
  readonly clients: readonly string[];
  /** Domains that it may name e-mail addresses of; Google's shape needs none. */
  readonly domains: readonly string[];
  /** The claim that holds the groups. */
  readonly groupsClaim: string;
  /** A token that is valid for longer than this is refused, whatever its `exp` says. */
  readonly maxLifetimeSeconds: number;
}

/** Google's live an hour, Entra ID's up to ninety minutes. */
export const DEFAULT_MAX_LIFETIME_SECONDS = 7_200;

const ENTRA = /^https:\/\/login\.microsoftonline\.(?:com|us)\/([0-9a-f-]{36})\/v2\.0$/;
const OKTA = /^https:\/\/[\w-]+\.(?:okta|oktapreview|okta-emea)\.com(?:\/oauth2\/\w+)?$/;
const LOOPBACK = /^http:\/\/127\.0\.0\.1:\d+$/;

/**
 * An issuer with everything that its address says: accounts.google.com and the laptop's have Google's claims, and the
 * addresses of Okta and Entra ID are known.
 */
export function issuerOf(
  issuer: string,
  settings: { readonly [K in keyof Omit<TrustedIssuer, 'issuer'>]?: TrustedIssuer[K] | undefined } = {},
): TrustedIssuer {
  return {
    issuer,
    shape: settings.shape ?? shapeOf(issuer),
    audiences: settings.audiences ?? [],
    clients: settings.clients ?? [],
    domains: (settings.domains ?? []).map((domain) => domain.toLowerCase()),
    groupsClaim: settings.groupsClaim ?? 'groups',
    maxLifetimeSeconds: settings.maxLifetimeSeconds ?? DEFAULT_MAX_LIFETIME_SECONDS,
  };
}

/** The issuers of a door: those that the environment names, and those declared, whose settings count. */
export function trustedIssuers(named: readonly string[], declared: readonly TrustedIssuer[]): readonly TrustedIssuer[] {
  const known = new Set(declared.map(({ issuer }) => issuer));
  return [...declared, ...named.filter((issuer) => !known.has(issuer)).map((issuer) => issuerOf(issuer))];
}

/** The tenant that an Entra ID issuer speaks for. */
export function tenantOf(issuer: string): string | undefined {
  return ENTRA.exec(issuer)?.[1];
}

function shapeOf(issuer: string): ClaimShape {
  if (issuer === 'https://accounts.google.com' || LOOPBACK.test(issuer)) return 'google';
  if (ENTRA.test(issuer)) return 'entra';
  return OKTA.test(issuer) ? 'okta' : 'oidc';
}
