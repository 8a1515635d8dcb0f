/** Who asks to do something: what a verified token, or a command's own credentials, say. */
export interface Asker {
  /** The e-mail address, or `ISSUER#SUBJECT` where there is none that can be believed. */
  readonly name: string;
  /** The token's `iss`; `laptop` or `google-credentials` for a command. */
  readonly issuer: string;
  /** As the issuer names them. */
  readonly groups: readonly string[];
  readonly kind: 'person' | 'service';
  /** Which token said so; absent for a command and for a function itself. */
  readonly tokenId?: string;
}

/** A function itself, as its own service account. */
export function serviceAsker(email: string): Asker {
  return { name: email, issuer: 'https://accounts.google.com', groups: [], kind: 'service' };
}

/** The same person, however an address is written: what second persons are told apart by. */
export function sameName(one: string, other: string): boolean {
  return foldName(one) === foldName(other);
}

/** A name as policies know it: mail servers and issuers differ about capitals and about composed letters, policies must not. */
export function foldName(name: string): string {
  return name.normalize('NFKC').toLowerCase();
}

/** A group of a token, under which no other issuer can speak: `ISSUER#group:NAME`. */
export function issuerGroup(issuer: string, group: string): string {
  return `${issuer}#group:${group}`;
}
