import { readFile } from 'node:fs/promises';
import { type Database, Spanner } from '@google-cloud/spanner';
import { openSpannerServer } from '../../../deploy/local/spanner/server.ts';

const project = 'demo';

/** A local Spanner with Penstock's control tables in a database `flights`, reached through the official client. */
export interface ControlDatabase {
  readonly database: Database;
  /** As a declaration names it. */
  readonly name: string;
  close(): Promise<void>;
}

/** Starts the server, creates the database by the official admin client, and applies deploy/gcp/schema.sql. */
export async function openControlDatabase(statements?: readonly string[]): Promise<ControlDatabase> {
  const server = await openSpannerServer();
  process.env.SPANNER_EMULATOR_HOST = server.address;
  // Else Google's libraries search for a metadata server, and warn that there is none.
  process.env.METADATA_SERVER_DETECTION ??= 'none';
  const spanner = new Spanner({ projectId: project });
  const [instance, created] = await spanner.createInstance('main', { config: 'emulator-config', nodes: 1 });
  await created.promise();
  const [database, operation] = await instance.createDatabase('flights', {
    schema: [...(statements ?? (await controlStatements()))],
  });
  await operation.promise();
  return {
    database,
    name: `projects/${project}/instances/main/databases/flights`,
    async close() {
      await database.close();
      spanner.close();
      await server.close();
    },
  };
}

/** The statements of deploy/gcp/schema.sql, one by one. */
export async function controlStatements(): Promise<string[]> {
  const sql = await readFile(new URL('../../../deploy/gcp/schema.sql', import.meta.url), 'utf8');
  return sql
    .replaceAll(/^\s*--.*$/gm, '')
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}
