import { type Principal, qualifiedName } from './principal.ts';
import { type TrustedIssuer, tenantOf } from './trusted-issuer.ts';

/** The claims of a token whose signature, issuer, audience and times were checked. */
export type Claims = Readonly<Record<string, unknown>>;

const MAX_GROUPS = 1_000;
const MAX_TEXT_CHARACTERS = 512;
const SERVICE_ACCOUNT = /^[^@\s]+@[a-z0-9.-]+\.gserviceaccount\.com$/;
const EMAIL = /^[^@\s]+@[^@\s]+$/;

/** The claims are genuine, but name nobody whom this door can know. */
export class ClaimError extends Error {}

/**
 * Who a token's claims name.
 *
 * Sources: developers.google.com/identity/openid-connect, developer.okta.com/docs/reference/api/oidc,
 * learn.microsoft.com/entra/identity-platform/access-token-claims-reference.
 *
 * @throws {ClaimError} for claims that name nobody, or that were made for somebody else's use
 */
export function principalOf(claims: Claims, trusted: TrustedIssuer): Principal {
  checkClient(claims, trusted);
  const { issuer } = trusted;
  const subject = subjectOf(claims, trusted);
  const email = emailOf(claims, trusted);
  const groups = groupsOf(claims, trusted);
  const kind = isService(claims, trusted, email) ? 'service' : 'person';
  return { issuer, subject, email, groups, kind, name: email ?? qualifiedName({ issuer, subject }) };
}

/** A token that was given to another application is not one to act on here: that application could send it on. */
function checkClient(claims: Claims, { clients, shape, issuer }: TrustedIssuer): void {
  const client = textOf(claims, 'azp') ?? textOf(claims, 'appid') ?? textOf(claims, 'cid');
  // OpenID Connect Core 1.0, section 3.1.3.7.
  if (Array.isArray(claims.aud) && claims.aud.length > 1 && client === undefined) {
    throw new ClaimError('it has several audiences and no azp');
  }
  if (clients.length > 0) {
    if (client === undefined || !clients.includes(client)) {
      throw new ClaimError(`it was given to client ${shown(client)}, which ${issuer} is not trusted for`);
    }
    return;
  }
  const serviceAccount = shape === 'google' && SERVICE_ACCOUNT.test(textOf(claims, 'email') ?? '');
  if (serviceAccount && client !== undefined && client !== claims.sub && client !== claims.email) {
    throw new ClaimError(`its azp ${shown(client)} is another account than its own`);
  }
}

function subjectOf(claims: Claims, { shape, issuer }: TrustedIssuer): string {
  const tenant = tenantOf(issuer);
  if (shape === 'entra' && claims.tid !== tenant) {
    throw new ClaimError(`its tenant ${shown(claims.tid)} is not ${shown(tenant)}`);
  }
  // Entra ID's `sub` differs from application to application; `oid` is the same in all of a tenant.
  const subject = textOf(claims, shape === 'entra' ? 'oid' : 'sub');
  if (subject === undefined) throw new ClaimError(`it has no ${shape === 'entra' ? 'oid' : 'sub'}`);
  return subject;
}

/**
 * The address, where the issuer may be believed.
 *
 * An issuer speaks for the domains that it is declared for; otherwise any of them could name a Google service account. Google
 * speaks for what it hosts: Gmail, Workspace domains (`hd`) and service accounts. Entra ID lets users write their own
 * address unless `xms_edov` says that the domain's owner was checked.
 */
function emailOf(claims: Claims, { shape, domains }: TrustedIssuer): string | undefined {
  const email = textOf(claims, 'email')?.toLowerCase();
  if (email === undefined || !EMAIL.test(email)) {
    if (shape === 'google') throw new ClaimError('it names no verified e-mail address');
    return undefined;
  }
  const verified =
    shape === 'entra' ? [true, 1, '1', 'true'].includes(flagOf(claims.xms_edov)) : claims.email_verified === true;
  const domain = email.slice(email.lastIndexOf('@') + 1);
  if (shape === 'google') {
    if (!verified) throw new ClaimError('it names no verified e-mail address');
    const hosted = domain === 'gmail.com' || domain === claims.hd || SERVICE_ACCOUNT.test(email);
    if (!hosted && !domains.includes(domain))
      throw new ClaimError(`Google does not host the domain of ${shown(email)}`);
    return email;
  }
  return verified && domains.includes(domain) && !SERVICE_ACCOUNT.test(email) ? email : undefined;
}

function flagOf(value: unknown): string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : false;
}

/** Groups that the token only points to are not none: a rule that forbids a group would not see them. */
function groupsOf(claims: Claims, { groupsClaim }: TrustedIssuer): readonly string[] {
  const elsewhere = claims._claim_names;
  if (claims.hasgroups === true || (typeof elsewhere === 'object' && elsewhere !== null && groupsClaim in elsewhere)) {
    throw new ClaimError(
      'it has too many groups to name them; assign groups to the application, so that it names those alone',
    );
  }
  const groups: unknown = Object.getOwnPropertyDescriptor(claims, groupsClaim)?.value ?? [];
  if (!Array.isArray(groups) || groups.length > MAX_GROUPS)
    throw new ClaimError(`its ${groupsClaim} are no list of names`);
  return groups.map((group: unknown) => {
    if (typeof group !== 'string' || group.length > MAX_TEXT_CHARACTERS) {
      throw new ClaimError(`its ${groupsClaim} are no list of names`);
    }
    return group;
  });
}

function isService(claims: Claims, { shape }: TrustedIssuer, email: string | undefined): boolean {
  if (shape === 'google') return email !== undefined && SERVICE_ACCOUNT.test(email);
  if (shape === 'entra') return claims.idtyp === 'app' || claims.sub === claims.oid;
  return claims.sub === claims.cid || claims.gty === 'client-credentials';
}

function textOf(claims: Claims, name: string): string | undefined {
  const value = Object.getOwnPropertyDescriptor(claims, name)?.value;
  if (typeof value !== 'string' || value === '') return undefined;
  if (value.length > MAX_TEXT_CHARACTERS) throw new ClaimError(`its ${name} has ${value.length} characters`);
  return value;
}

/** A claim in a message: quoted, short, on one line. */
function shown(value: unknown): string {
  return value === undefined ? 'unknown' : JSON.stringify(value).slice(0, 100);
}
