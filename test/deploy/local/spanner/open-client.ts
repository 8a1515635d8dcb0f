import type { Database } from '@google-cloud/spanner';
import { Spanner } from '@google-cloud/spanner';
import {
  openSpannerServer,
  type SpannerServer,
  type SpannerServerOptions,
} from '../../../../deploy/local/spanner/server.ts';

/** The official client's view of a fresh server. */
export interface OpenClient {
  readonly server: SpannerServer;
  readonly spanner: Spanner;
  readonly database: Database;
  close(): Promise<void>;
}

/** Starts a server and connects the unmodified official client to a new database on it. */
export async function openClient(schema: readonly string[], options: SpannerServerOptions = {}): Promise<OpenClient> {
  const server = await openSpannerServer(options);
  const spanner = connect(server.address);
  const [instance, creation] = await spanner.createInstance('main', {
    config: 'emulator-config',
    nodes: 1,
    displayName: 'Main',
  });
  await creation.promise();
  const [database, operation] = await instance.createDatabase('flights', { schema: [...schema] });
  await operation.promise();
  return {
    server,
    spanner,
    database,
    async close() {
      await database.close();
      spanner.close();
      await server.close();
    },
  };
}

/** The official client for a server's address, which it reads from the environment as ever. */
export function connect(address: string): Spanner {
  process.env.SPANNER_EMULATOR_HOST = address;
  // There is no metadata server of Google's to look for.
  process.env.METADATA_SERVER_DETECTION = 'none';
  process.env.SPANNER_DISABLE_BUILTIN_METRICS = 'true';
  return new Spanner({ projectId: 'p' });
}

/** Rows as plain objects. */
export function objects(rows: readonly object[]): unknown[] {
  return rows.map((row) => ('toJSON' in row && typeof row.toJSON === 'function' ? row.toJSON() : row));
}
