import { type Database, Spanner } from '@google-cloud/spanner';

/** A new database in the laptop's Spanner, and how to reach it. */
export interface TestDatabase {
  readonly name: string;
  readonly database: Database;
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

let made = 0;

/** Makes a database with these tables through the official client; every test file talks to its own server. */
export async function openTestDatabase(address: string, schema: string[]): Promise<TestDatabase> {
  process.env.SPANNER_EMULATOR_HOST = address;
  process.env.METADATA_SERVER_DETECTION = 'none';
  const spanner = new Spanner({ projectId: 'p' });
  const instance = spanner.instance('test');
  const [exists] = await instance.exists();
  if (!exists) {
    const [, creating] = await spanner.createInstance('test', { config: 'emulator', nodes: 1 });
    await creating.promise();
  }
  made += 1;
  const [database, creating] = await instance.createDatabase(`data${made}`, { schema });
  await creating.promise();
  return {
    name: `projects/p/instances/test/databases/data${made}`,
    database,
    env: { SPANNER_EMULATOR_HOST: address },
    async close() {
      await database.close().catch(() => {});
      spanner.close();
    },
  };
}
