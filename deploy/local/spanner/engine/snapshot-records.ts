import { printDdl } from '../ddl/print.ts';
import type { JournalRecord, JournalRow } from '../storage/journal-record.ts';
import type { Catalog } from './catalog.ts';
import type { Database } from './database.ts';

/** The shortest journal that gives the same catalog: every version still kept, and which recent transactions have committed. */
export function* snapshotRecords(catalog: Catalog): Generator<JournalRecord, void, undefined> {
  for (const { name, config, displayName } of catalog.instances.values()) {
    yield { kind: 'instance', name, config, displayName };
  }
  for (const { database, transactions } of catalog.databases.values()) {
    yield* databaseRecords(database, transactions.committedAt());
  }
  for (const session of catalog.sessions.values()) {
    yield { kind: 'session', ...session };
  }
}

function* databaseRecords(
  database: Database,
  committed: ReadonlyMap<number, string>,
): Generator<JournalRecord, void, undefined> {
  const { name, createdAt, stores } = database;
  yield { kind: 'database', name, createdAt };
  for (const statement of printDdl(stores.schema, name.slice(name.lastIndexOf('/') + 1))) {
    yield { kind: 'ddl', database: name, timestamp: createdAt, statement, fillRows: [] };
  }
  const commits = new Map<number, JournalRow[]>();
  for (const timestamp of committed.keys()) commits.set(timestamp, []);
  for (const [table, { rows }] of stores.tables) {
    for (const [key, head] of rows.range('', '\xff')) {
      for (let version = head; ; version = version.older) {
        const commit = commits.get(version.timestamp);
        if (commit) commit.push([table, key, version.cells]);
        else commits.set(version.timestamp, [[table, key, version.cells]]);
        if (!version.older) break;
      }
    }
  }
  for (const timestamp of [...commits.keys()].sort((a, b) => a - b)) {
    const rows = commits.get(timestamp) ?? [];
    yield { kind: 'commit', database: name, timestamp, transaction: committed.get(timestamp), rows };
  }
}
