import { type Database, Spanner } from '@google-cloud/spanner';
import { controlSchema, createOnEmulator, migrate } from '../gcp/migrate.ts';

/** The declared database, opened for a command. */
export interface OpenDatabase extends AsyncDisposable {
  readonly spanner: Spanner;
  readonly database: Database;
}

/** @param path `projects/P/instances/I/databases/D` */
export function openDatabase(path: string): OpenDatabase {
  const [, projectId = '', , instance = '', , name = ''] = path.split('/');
  // An emulator asks for no credentials: without this Google's libraries search for a metadata server, and warn.
  if (process.env.SPANNER_EMULATOR_HOST) process.env.METADATA_SERVER_DETECTION ??= 'none';
  const spanner = new Spanner({ projectId });
  const database = spanner.instance(instance).database(name);
  return {
    spanner,
    database,
    async [Symbol.asyncDispose]() {
      await database.close();
      spanner.close();
    },
  };
}

/** @returns the statements that `migrate` applied */
export async function migrateControlTables(path: string): Promise<string[]> {
  await using open = openDatabase(path);
  if (process.env.SPANNER_EMULATOR_HOST) await createOnEmulator(open.spanner, path);
  return await migrate(open.database, controlSchema);
}
