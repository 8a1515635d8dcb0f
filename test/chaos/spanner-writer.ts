import { Spanner } from '@google-cloud/spanner';
import { createOnEmulator, migrate } from '../../deploy/gcp/migrate.ts';
import { localProject } from '../../deploy/local/project.ts';
import type { CloudWriter } from './cloud-writer.ts';

const TIMEOUT_MS = 20_000;
const TABLES = `
CREATE TABLE Ledger (
  Id INT64 NOT NULL,
) PRIMARY KEY (Id);
CREATE TABLE Counter (
  Name STRING(16) NOT NULL,
  Value INT64 NOT NULL,
) PRIMARY KEY (Name);`;

/** Each write is a transaction that reads a counter, raises it, and inserts a row: both, or neither. */
export async function openSpannerWriter(host: string): Promise<CloudWriter> {
  // The official client finds the emulator through the environment of its own process.
  process.env.SPANNER_EMULATOR_HOST = host;
  process.env.METADATA_SERVER_DETECTION ??= 'none';
  const spanner = new Spanner({ projectId: localProject });
  await createOnEmulator(spanner, `projects/${localProject}/instances/main/databases/crash`);
  const database = spanner.instance('main').database('crash');
  await migrate(database, TABLES);
  await database.table('Counter').upsert({ Name: 'ledger', Value: 0 });
  const acknowledged = new Set<number>();
  const sent = new Set<number>();
  const readNumbers = async (table: string, column: string): Promise<number[]> => {
    const [rows] = await database.table(table).read({ keySet: { all: true }, columns: [column], json: true });
    return rows.map((found) => {
      const row: Readonly<Record<string, unknown>> = { ...found };
      return Number(row[column]);
    });
  };
  return {
    name: 'spanner',
    async write(id) {
      sent.add(id);
      await database.runTransactionAsync({ timeout: TIMEOUT_MS }, async (transaction) => {
        try {
          const [rows] = await transaction.read('Counter', { keys: ['ledger'], columns: ['Value'], json: true });
          const row: Readonly<Record<string, unknown>> = { ...rows[0] };
          transaction.update('Counter', { Name: 'ledger', Value: Number(row.Value) + 1 });
          transaction.insert('Ledger', { Id: id });
          await transaction.commit();
        } catch (error) {
          transaction.end();
          throw error;
        }
      });
      acknowledged.add(id);
    },
    async check() {
      const ledger = await readNumbers('Ledger', 'Id');
      const [counted = 0] = await readNumbers('Counter', 'Value');
      const held = new Set(ledger);
      return {
        acknowledged: acknowledged.size,
        lost: [...acknowledged].filter((id) => !held.has(id)).length,
        doubled: Math.max(0, counted - held.size),
        strange: Math.max(0, held.size - counted) + ledger.filter((id) => !sent.has(id)).length,
      };
    },
    close: () => database.close().then(() => undefined),
  };
}
