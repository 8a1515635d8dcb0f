import assert from 'node:assert/strict';
import { type Database, Spanner } from '@google-cloud/spanner';
import { controlSchema, createOnEmulator, migrate } from '../../../../../deploy/gcp/migrate.ts';
import { openSpannerServer } from '../../../../../deploy/local/spanner/server.ts';
import { openSpannerChannel, type SpannerChannel } from '../../../../../shared/adapters/spanner/channel.ts';
import { openPipeline } from '../../../../../shared/adapters/spanner/ingest/open-pipeline.ts';
import { openDatabase } from '../../../../../shared/adapters/spanner/open-database.ts';
import { readTableSchema } from '../../../../../shared/adapters/spanner/read-table-schema.ts';
import { runTransaction } from '../../../../../shared/adapters/spanner/run-transaction.ts';
import { readDeclaration } from '../../../../../shared/model/config/read-declaration.ts';
import type { CompiledPipeline } from '../../../../../shared/model/events/compile-pipeline.ts';
import { type DeadLetter, deadLetterMutation } from '../../../../../shared/model/events/records/dead-letter.ts';

export const lettersPath = 'projects/p/instances/main/databases/letters';

/** `orders` keeps the newest version of a row; `counts` counts, so that a letter that is written twice shows. */
export const lettersDeclaration = `
spanner: { database: ${lettersPath} }
kafka: { brokers: "b:1" }
pipelines:
  orders:
    source: { kafka: { topic: orders } }
    format: json
    table: Orders
    mode: upsert
    guard: Version
    columns: { OrderId: { key: true }, Version: { field: version }, Note: { field: note } }
  counts:
    source: { kafka: { topic: orders } }
    format: json
    table: Counts
    mode: aggregate
    groupBy: { Note: { field: note } }
    aggregates: { Orders: { count: true }, Total: { sum: version } }
`;

const TABLES = [
  'CREATE TABLE Orders (OrderId STRING(36), Version INT64 NOT NULL, Note STRING(MAX)) PRIMARY KEY (OrderId)',
  'CREATE UNIQUE NULL_FILTERED INDEX OrdersByNote ON Orders (Note)',
  'CREATE TABLE Counts (Note STRING(40), Orders INT64, Total INT64) PRIMARY KEY (Note)',
];

export interface Letters {
  readonly address: string;
  readonly database: Database;
  readonly channel: SpannerChannel;
  compile(pipeline: 'orders' | 'counts'): Promise<CompiledPipeline>;
  /** Sets letters aside in one commit. */
  setAside(...letters: readonly Partial<DeadLetter>[]): Promise<void>;
  query(sql: string): Promise<Record<string, unknown>[]>;
  /** Share of commits that Spanner aborts. */
  setAbortRate(share: number): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The record of one order; offsets tell which came first. */
export function order(key: string, value: string | Buffer, offset = 7): Partial<DeadLetter> {
  const headers = [
    { name: 'trace', value: Buffer.from('abc') },
    { name: 'raw', value: Buffer.from([0xff, 0x00]) },
  ];
  const coordinates = { timestampMs: 1_000, topic: 'orders', partition: 2, offset: BigInt(offset) };
  const record = { key: Buffer.from(key), value: Buffer.from(value), headers, ...coordinates };
  return { id: `orders/2/${offset}`, record };
}

/** A database with the control tables, two pipelines' tables, and nothing set aside yet. */
export async function openLetters(): Promise<Letters> {
  const { declaration } = readDeclaration({ file: 'f', text: lettersDeclaration, env: {}, sections: [] });
  const spanner = await openSpannerServer({});
  process.env.SPANNER_EMULATOR_HOST = spanner.address;
  process.env.METADATA_SERVER_DETECTION = 'none';
  const admin = new Spanner({ projectId: 'p' });
  await createOnEmulator(admin, lettersPath);
  admin.close();
  const open = openDatabase(lettersPath);
  await migrate(open.database, controlSchema);
  const [operation] = await open.database.updateSchema(TABLES);
  await operation.promise();
  const channel = openSpannerChannel(lettersPath, process.env);
  const readTable = (table: string) => readTableSchema(channel, table, 10_000);
  return {
    address: spanner.address,
    database: open.database,
    channel,
    compile: async (name) => {
      const pipeline = declaration.pipelines[name];
      assert.ok(pipeline);
      return await openPipeline({ database: lettersPath, readTable }, pipeline);
    },
    setAside: (...letters) =>
      runTransaction(channel, {
        attempted: 'set aside',
        table: 'PenstockDeadLetters',
        commit: undefined,
        run: async () => ({ mutations: [deadLetterMutation(letters.map(whole))], result: undefined }),
      }),
    query: async (sql) => {
      const [rows] = await open.database.run({ sql, json: true });
      return rows.map((row) => ({ ...row }));
    },
    setAbortRate: (share) => spanner.setAbortRate(share, 7),
    async [Symbol.asyncDispose]() {
      channel.close();
      await open.close();
      await spanner.close();
    },
  };
}

function whole(letter: Partial<DeadLetter>): DeadLetter {
  const { id = 'orders/2/7', record } = letter;
  assert.ok(record);
  const origin = { pipeline: 'orders', pipelineVersion: 'a'.repeat(16), source: 'kafka', eventId: undefined } as const;
  return { ...origin, poison: 'unmappable', reason: 'it was broken', ...letter, id, record };
}
