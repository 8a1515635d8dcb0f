import { Spanner } from '@google-cloud/spanner';
import { openDatabase } from '../../shared/adapters/spanner/open-database.ts';
import { controlSchema, createOnEmulator, migrate } from '../gcp/migrate.ts';

/**
 * Creates or updates the control tables; on an emulator the instance and the database too.
 *
 * @param path `projects/P/instances/I/databases/D`
 * @returns the statements that were applied
 */
export async function migrateControlTables(path: string): Promise<string[]> {
  if (process.env.SPANNER_EMULATOR_HOST) {
    const spanner = new Spanner({ projectId: path.split('/')[1] ?? '' });
    await createOnEmulator(spanner, path);
    spanner.close();
  }
  const { database, close } = openDatabase(path);
  try {
    return await migrate(database, controlSchema);
  } finally {
    await close();
  }
}
