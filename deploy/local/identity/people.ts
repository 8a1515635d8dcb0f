/** Somebody whom the laptop's login page lets one be. */
export interface Person {
  readonly email: string;
  readonly name: string;
  readonly groups: readonly string[];
}

/** Whom the laptop knows: one who may act, a second for what needs two, and one who may only look. */
export const people: readonly Person[] = [
  { email: 'ada@example.com', name: 'Ada', groups: ['operators'] },
  { email: 'grace@example.com', name: 'Grace', groups: ['operators'] },
  { email: 'eve@example.com', name: 'Eve', groups: ['viewers'] },
];

/** The claims of a person's ID token, as Google's of a Workspace domain, with groups. */
export function claimsOf({ email, name, groups }: Person): Record<string, unknown> {
  return { email, email_verified: true, hd: email.slice(email.indexOf('@') + 1), name, groups };
}
