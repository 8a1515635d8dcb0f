import { join } from 'node:path';
import { serveGrpc } from '../grpc.ts';
import { type Journal, noJournal, openJournal } from '../journal.ts';
import { Catalog } from './engine/catalog.ts';
import { sweepExpiredRows } from './engine/row-deletion.ts';
import { snapshotRecords } from './engine/snapshot-records.ts';
import { AbortInjector } from './protocol/abort-injector.ts';
import { commitMethods } from './protocol/commits.ts';
import { DataBoost } from './protocol/data-boost.ts';
import { databaseAdminMethods } from './protocol/database-admin.ts';
import { instanceAdminMethods } from './protocol/instance-admin.ts';
import { Operations } from './protocol/operations.ts';
import { partitionMethods } from './protocol/partitions.ts';
import { readMethods } from './protocol/reads.ts';
import { Sessions, sessionMethods } from './protocol/sessions.ts';
import { sqlMethods } from './protocol/sql.ts';
import type { SqlEvaluator } from './sql/evaluator.ts';
import { decodeRecord, encodeRecord } from './storage/journal-record.ts';

const SWEEP_INTERVAL_MS = 10_000;
const COMPACT_BYTES = 16 * 1024 * 1024;

export interface SpannerServerOptions {
  /** 0 or absent for a free one. */
  readonly port?: number;
  /** Where the journal lies; absent, everything is kept in memory only. */
  readonly dir?: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Chance of each commit to be aborted, from 0 to 1. */
  readonly abortRate?: () => number;
  readonly faults?: {
    /** True aborts the commit with this number, counted from 1; nothing of it is written. */
    readonly abortCommits?: (commitNumber: number) => boolean;
  };
}

export interface SpannerServer {
  /** `127.0.0.1:port`, as SPANNER_EMULATOR_HOST wants it. */
  readonly address: string;
  /** Aborts this share of commits from now on, the same ones for the same seed. */
  setAbortRate(rate: number, seed: number): void;
  /** Reads and queries that asked for Data Boost. */
  boostedCalls(): number;
  /** Applies row deletion policies and lets go of what has expired, as the timer does; returns the rows deleted. */
  sweep(): number;
  /** Closing again waits for the same end. */
  close(): Promise<void>;
}

/** Opens the journal, and rewrites it where most of what it tells is past every retention. */
function openCompacted(path: string, catalog: Catalog): Journal {
  let bytes = 0;
  let replayedRows = 0;
  const journal = openJournal(path, (frame) => {
    const record = decodeRecord(frame);
    bytes += frame.length;
    if (record.kind === 'commit') replayedRows += record.rows.length;
    catalog.replay(record);
  });
  for (const { database } of catalog.databases.values()) database.collect();
  if (bytes > COMPACT_BYTES && replayedRows > 2 * catalog.versionCount) {
    journal.rewrite(snapshotRecords(catalog).map(encodeRecord));
  }
  return journal;
}

/** Starts the laptop's Spanner on 127.0.0.1. */
export async function openSpannerServer(options: SpannerServerOptions = {}): Promise<SpannerServer> {
  const now = options.now ?? Date.now;
  let journal: Journal = noJournal;
  let evaluator: Promise<SqlEvaluator> | undefined;
  const openEvaluator = (): Promise<SqlEvaluator> => {
    evaluator ??= import('./sql/evaluator.ts')
      .then(({ openSqlEvaluator }) => openSqlEvaluator())
      .catch((error: unknown) => {
        // The next query tries again.
        evaluator = undefined;
        throw error;
      });
    return evaluator;
  };
  const catalog = new Catalog({
    now,
    evaluate: async (sql, type) => (await openEvaluator()).expression(sql, type),
    compileTable: async (table) => (await openEvaluator()).compileTable(table),
    append: (record) => {
      // Encoding a commit costs as much as writing its rows.
      if (journal !== noJournal) journal.append(encodeRecord(record));
    },
  });
  if (options.dir) journal = openCompacted(join(options.dir, 'spanner.journal'), catalog);
  const sessions = new Sessions(catalog, now);
  const operations = new Operations();
  const aborts = new AbortInjector(options);
  const boost = new DataBoost();
  const server = await serveGrpc({
    port: options.port ?? 0,
    methods: [
      ...instanceAdminMethods(catalog, operations),
      ...databaseAdminMethods(catalog, operations),
      ...operations.methods(),
      ...sessionMethods(sessions),
      ...commitMethods(sessions, () => aborts.decide()),
      ...readMethods(sessions, boost),
      ...partitionMethods(sessions),
      ...sqlMethods(sessions, openEvaluator, boost),
    ],
  });
  const sweep = (): number => {
    sessions.expire();
    return sweepExpiredRows(catalog);
  };
  const timer = setInterval(sweep, SWEEP_INTERVAL_MS).unref();
  const closeAll = async (): Promise<void> => {
    clearInterval(timer);
    await server.close();
    await (await evaluator)?.close();
    journal.close();
  };
  let closed: Promise<void> | undefined;
  return {
    address: `127.0.0.1:${server.port}`,
    boostedCalls: () => boost.calls,
    setAbortRate: (rate, seed) => aborts.setRate(rate, seed),
    sweep,
    close() {
      closed ??= closeAll();
      return closed;
    },
  };
}
