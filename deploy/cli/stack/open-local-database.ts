import { type Database, Spanner } from '@google-cloud/spanner';
import { controlSchema, createOnEmulator, migrate } from '../../gcp/migrate.ts';
import type { LocalCloud } from '../../local/cloud.ts';
import { localProject } from '../../local/project.ts';

/**
 * Creates a database in the laptop's Spanner, with data tables and control tables, and opens it with the official client.
 *
 * @param path `projects/P/instances/I/databases/D`
 * @param tables data tables, as CREATE statements
 */
export async function openLocalDatabase(
  cloud: Pick<LocalCloud, 'env'>,
  path: string,
  tables: string,
): Promise<Database> {
  // The official client finds the emulator through the environment of its own process.
  process.env.SPANNER_EMULATOR_HOST = cloud.env.SPANNER_EMULATOR_HOST;
  process.env.PUBSUB_EMULATOR_HOST = cloud.env.PUBSUB_EMULATOR_HOST;
  // No metadata server here: without this Google's libraries search for one, and warn.
  process.env.METADATA_SERVER_DETECTION ??= 'none';
  const spanner = new Spanner({ projectId: localProject });
  const [, , , instance = '', , name = ''] = path.split('/');
  await createOnEmulator(spanner, path);
  const database = spanner.instance(instance).database(name);
  await migrate(database, tables);
  await migrate(database, controlSchema);
  return database;
}
