/** A value of Cedar as its JSON has it: docs.cedarpolicy.com/auth/entities-syntax.html. */
export type CedarJson = boolean | number | string | readonly CedarJson[] | { readonly [key: string]: CedarJson };

/** An entity's type and id. */
export interface EntityId {
  readonly type: string;
  readonly id: string;
}

export interface Entity {
  readonly uid: EntityId;
  readonly attrs: Readonly<Record<string, CedarJson>>;
  readonly parents: readonly EntityId[];
}

/** The declared database, by its last name: a policy that names it holds in every project that it is deployed to. */
export function databaseEntities(path: string, name: string): Entity[] | undefined {
  const [, project = '', , instance = '', , id = ''] = path.split('/');
  return name === id ? [{ uid: { type: 'Database', id }, attrs: { project, instance }, parents: [] }] : undefined;
}
