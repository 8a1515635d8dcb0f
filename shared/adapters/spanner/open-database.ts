import { type Database, Spanner } from '@google-cloud/spanner';
import { ConfigError } from '../../base/errors.ts';
import { settleAbandoned } from './within-deadline.ts';

/** A database and the connections behind it. */
export interface OpenDatabase {
  readonly name: string;
  readonly database: Database;
  /** Ends sessions and connections; nothing keeps the process alive afterwards. */
  close(): Promise<void>;
}

/** gRPC would wait up to two minutes before it looks again for a server that was down. */
const MAX_RECONNECT_MS = 2_000;
/** How long closing waits for calls that the client still repeats. */
const MAX_SETTLE_MS = 3_000;
const NAME = /^projects\/([^/]+)\/instances\/([^/]+)\/databases\/([^/]+)$/;

/**
 * Opens a database with the official client, which follows SPANNER_EMULATOR_HOST. Nothing is sent yet.
 *
 * @param name `projects/P/instances/I/databases/D`
 * @param role database role of its sessions; PENSTOCK_DATABASE_ROLE unless given
 * @throws {ConfigError} for a name of another form
 */
export function openDatabase(name: string, role = process.env.PENSTOCK_DATABASE_ROLE): OpenDatabase {
  const [, projectId = '', instance = '', id = ''] = NAME.exec(name) ?? [];
  if (id === '') {
    const message = `is ${JSON.stringify(name)}, no name of a database`;
    throw new ConfigError([{ path: 'spanner.database', message, remedy: 'Write projects/P/instances/I/databases/D' }]);
  }
  const options = { projectId, 'grpc.max_reconnect_backoff_ms': MAX_RECONNECT_MS };
  const spanner = new Spanner(options);
  const database = spanner.instance(instance).database(id, role ? { databaseRole: role } : {});
  // The client tells of a session that could not be made as an event too, and an unheard `error` ends the process.
  database.on('error', () => {});
  return {
    name,
    database,
    async close() {
      await settleAbandoned(MAX_SETTLE_MS);
      await database.close().catch(() => {});
      spanner.close();
    },
  };
}
