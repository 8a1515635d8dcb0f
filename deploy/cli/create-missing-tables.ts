import { openDatabase } from '../../shared/adapters/spanner/open-database.ts';
import type { PlannedTable } from '../../shared/model/events/tables/plan-tables.ts';

const TABLES = `SELECT TABLE_NAME AS name FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = ''`;

/**
 * Creates the planned tables that a database lacks; what is there stays as it is.
 *
 * @param path `projects/P/instances/I/databases/D`
 * @returns the statements that were applied
 */
export async function createMissingTables(path: string, planned: readonly PlannedTable[]): Promise<string[]> {
  const { database, close } = openDatabase(path);
  try {
    const [rows] = await database.run({ sql: TABLES, json: true });
    const held = new Set(rows.map((row) => String('name' in row ? row.name : '').toLowerCase()));
    const statements: string[] = [];
    for (const { name, statement } of planned) {
      if (held.has(name.toLowerCase())) continue;
      held.add(name.toLowerCase());
      statements.push(statement);
    }
    if (statements.length > 0) {
      const [operation] = await database.updateSchema(statements);
      await operation.promise();
    }
    return statements;
  } finally {
    await close();
  }
}
