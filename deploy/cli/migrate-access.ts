import { openDatabase } from '../../shared/adapters/spanner/open-database.ts';
import type { Declaration } from '../../shared/model/config/declaration.ts';
import { functionAccess } from '../../shared/model/grants/function-access.ts';
import { grantStatements } from '../../shared/model/grants/grant-statements.ts';
import { readDataUses } from './read-data-uses.ts';

/**
 * Creates the functions' database roles, grants what is missing and revokes what is too much.
 *
 * @returns the statements that were applied
 */
export async function migrateAccess(declaration: Declaration): Promise<string[]> {
  const { data, existing } = await readDataUses(declaration);
  const statements = grantStatements(functionAccess(declaration, data, ''), existing);
  if (statements.length === 0) return [];
  const { database, close } = openDatabase(declaration.spanner.database);
  try {
    const [operation] = await database.updateSchema(statements);
    await operation.promise();
  } finally {
    await close();
  }
  return statements;
}
