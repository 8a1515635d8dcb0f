import { type Database, Spanner } from '@google-cloud/spanner';
import { ConfigError } from '../../base/errors.ts';

/** A database and the connections behind it. */
export interface OpenDatabase {
  readonly name: string;
  readonly database: Database;
  /** Ends sessions and connections; nothing keeps the process alive afterwards. */
  close(): Promise<void>;
}

const NAME = /^projects\/([^/]+)\/instances\/([^/]+)\/databases\/([^/]+)$/;

/**
 * Opens a database with the official client, which follows SPANNER_EMULATOR_HOST. Nothing is sent yet.
 *
 * @param name `projects/P/instances/I/databases/D`
 * @throws {ConfigError} for a name of another form
 */
export function openDatabase(name: string): OpenDatabase {
  const [, projectId = '', instance = '', id = ''] = NAME.exec(name) ?? [];
  if (id === '') {
    const message = `is ${JSON.stringify(name)}, no name of a database`;
    throw new ConfigError([{ path: 'spanner.database', message, remedy: 'Write projects/P/instances/I/databases/D' }]);
  }
  const spanner = new Spanner({ projectId });
  const database = spanner.instance(instance).database(id);
  // The client tells of a session that could not be made as an event too, and an unheard `error` ends the process.
  database.on('error', () => {});
  return {
    name,
    database,
    async close() {
      await database.close().catch(() => {});
      spanner.close();
    },
  };
}
