/** Who is calling, as a verified token says. */
export interface Principal {
  /** The token's `iss`. */
  readonly issuer: string;
  /** What never changes about it within its issuer: `sub`, or Entra ID's `oid`. */
  readonly subject: string;
  /** In lower case; only where the issuer has verified it and may speak for its domain. */
  readonly email: string | undefined;
  /** As the issuer names them: names at Okta, object ids at Entra ID, none at Google. */
  readonly groups: readonly string[];
  readonly kind: 'service' | 'person';
  /** For people, logs and lists: the e-mail address, or `ISSUER#SUBJECT`. */
  readonly name: string;
  /** Which token said so, without saying what it is: everything that one token did can be found by it. Absent for what was told otherwise. */
  readonly tokenId?: string;
}

/** `ISSUER#SUBJECT`: names a principal without an e-mail address, and cannot be taken over by another issuer. */
export function qualifiedName({ issuer, subject }: Pick<Principal, 'issuer' | 'subject'>): string {
  return `${issuer}#${subject}`;
}

const GROUP = '#group:';

/**
 * Whether a list of callers names this principal.
 *
 * @param callers e-mail addresses, `ISSUER#SUBJECT`, or `ISSUER#group:NAME`
 */
export function isNamed(principal: Principal, callers: readonly string[]): boolean {
  const { issuer, subject, email, groups } = principal;
  if (email !== undefined && callers.some((caller) => caller.toLowerCase() === email)) return true;
  // Who may choose its own subject must not choose one that reads as a group.
  if (!subject.startsWith('group:') && callers.includes(qualifiedName(principal))) return true;
  return groups.some((group) => callers.includes(`${issuer}${GROUP}${group}`));
}
