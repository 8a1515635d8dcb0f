import { columnsRead } from '../model/access/access-entities.ts';
import type { Asker } from '../model/access/asker.ts';
import type { Declaration } from '../model/config/declaration.ts';
import type { Plan } from '../model/epochs/manifest.ts';
import type { Authority } from './authority.ts';

/**
 * Makes the check of what a feed reads: each column by itself, as the account that reads.
 *
 * @returns a function that throws for the first column that no policy grants; one that asks nothing without policies
 */
export function columnGuard(
  declaration: Declaration,
  authority: Authority,
  reader: Asker,
): (feed: { readonly name: string }, plan: Pick<Plan, 'table' | 'columns' | 'where' | 'sql' | 'join'>) => void {
  if (!authority.hasPolicies) return () => undefined;
  return ({ name }, plan) => {
    authority.requireColumns(reader, name, columnsRead(declaration, plan));
  };
}
