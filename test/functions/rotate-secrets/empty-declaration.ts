import type { Declaration } from '../../../shared/model/config/declaration.ts';

/** A declaration of nothing but a database. */
export function emptyDeclaration(database: string): Declaration {
  return {
    version: 1,
    spanner: { database },
    kafka: undefined,
    registry: undefined,
    pipelines: {},
    feeds: {},
    secrets: {},
    access: undefined,
  };
}
