import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import { applyDdl } from '../ddl/apply.ts';
import { tablesWithNewChecks } from '../ddl/data-checks.ts';
import { emptySchema } from '../ddl/empty-schema.ts';
import type { CompileTable } from '../row-program.ts';
import { ChangeLog } from '../storage/change-log.ts';
import { Garbage } from '../storage/garbage.ts';
import type { JournalRecord, JournalRow } from '../storage/journal-record.ts';
import {
  arrangeStores,
  type IndexStore,
  type RowStore,
  type Stores,
  type TableStore,
  tableStore,
} from '../storage/stores.ts';
import { applyMutation } from './apply-mutation.ts';
import { CommitClock } from './commit-clock.ts';
import type { Evaluate } from './defaults.ts';
import { cascadeDeletions, requireNewReferences, requireReferences } from './foreign-keys.ts';
import { updateIndexes } from './index-upkeep.ts';
import { checkRowsFit, migrateStores } from './migrate-rows.ts';
import { fillNewColumns } from './new-columns.ts';
import { type CommitPreparation, compileOnce, prepareCommit } from './prepare-commit.ts';
import type { ReadSet } from './read-set.ts';
import { RowRules } from './row-rules.ts';
import type { WireMutation } from './wire-mutation.ts';

const MAX_MUTATIONS = 80_000;
const MICROS_PER_MS = 1000;
/** How often a commit may find that rows changed while SQL was evaluated for them. */
const MAX_ROUNDS = 50;

/** What one commit asks for. */
export interface CommitRequest {
  readonly mutations: readonly WireMutation[];
  /** Text form of the transaction's id, written down with the commit. */
  readonly transaction?: string;
  /** Nothing of it may have changed since `snapshot` (microseconds). */
  readonly reads?: { readonly readSet: ReadSet; readonly snapshot: number; readonly schemaVersion: number };
}

export interface CommitResult {
  /** Microseconds since 1970. */
  readonly timestamp: number;
  readonly mutationCount: number;
}

export interface DatabaseOptions {
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly evaluate: Evaluate;
  readonly compileTable: CompileTable;
  readonly append: (record: JournalRecord) => void;
  /** Microseconds since 1970. */
  readonly createdAt: number;
}

/** One database: its schema, its rows in all their versions, and the commits that change them one at a time. */
export class Database {
  readonly name: string;
  readonly createdAt: number;
  readonly clock: CommitClock;
  readonly #evaluate: Evaluate;
  readonly #compileTable: CompileTable;
  readonly #append: (record: JournalRecord) => void;
  readonly #garbage = new Garbage();
  #stores: Stores = arrangeStores(emptySchema);
  #schemaVersion = 0;
  #schemaChange: Promise<unknown> = Promise.resolve();

  constructor(options: DatabaseOptions) {
    this.name = options.name;
    this.createdAt = options.createdAt;
    this.clock = new CommitClock(options.now, options.createdAt);
    this.#evaluate = options.evaluate;
    this.#compileTable = compileOnce(options.compileTable);
    this.#append = options.append;
  }

  get stores(): Stores {
    return this.#stores;
  }

  /** Grows with every schema change. */
  get schemaVersion(): number {
    return this.#schemaVersion;
  }

  /** The oldest timestamp that can be read, in microseconds. */
  get horizon(): number {
    return this.clock.nowMicros() - this.#stores.schema.versionRetentionMs * MICROS_PER_MS;
  }

  /** Rows that wait for the retention to end before their old versions go. */
  get supersededCount(): number {
    return this.#garbage.length;
  }

  /** Commits all mutations or none; ABORTED when something that the transaction read has changed. */
  async commit(request: CommitRequest): Promise<CommitResult> {
    let prepared = await this.#prepare(request.mutations);
    for (let round = 0; round < MAX_ROUNDS; round++) {
      if (prepared.schemaVersion !== this.#schemaVersion) prepared = await this.#prepare(request.mutations);
      const { rules, defaults } = prepared;
      try {
        return this.#commitNow(request, prepared);
      } catch (error) {
        // As long as something is not known, any error may be for want of it.
        if (rules.outcomes.isComplete) throw error;
      }
      await rules.outcomes.evaluateMissing();
      defaults.rewind();
    }
    throw aborted('Transaction was aborted: the rows that it writes kept changing.');
  }

  /** Applies one DDL statement, after those before it; returns its timestamp in microseconds. */
  changeSchema(statement: string): Promise<number> {
    const change = this.#schemaChange.then(() => this.#changeSchemaNow(statement));
    this.#schemaChange = change.catch(() => undefined);
    return change;
  }

  /** Deletes rows by their keys, cascading, in one commit; for row deletion policies. */
  deleteRows(work: (log: ChangeLog<TableStore>) => void): CommitResult {
    return this.#write(undefined, (log) => {
      work(log);
      return 0;
    });
  }

  /** Drops versions past the retention. */
  collect(): void {
    this.#garbage.collect(this.horizon);
  }

  /** Applies what the journal holds of this database. */
  replay(record: JournalRecord): void {
    if (record.kind === 'ddl') {
      const schema = applyDdl(this.#stores.schema, record.statement);
      this.#arrange(migrateStores(this.#stores, schema, this.#garbage), record.timestamp);
      this.#replayRows(record.timestamp, record.fillRows);
    } else if (record.kind === 'commit') {
      this.#replayRows(record.timestamp, record.rows);
    }
  }

  async #prepare(mutations: readonly WireMutation[]): Promise<CommitPreparation & { schemaVersion: number }> {
    for (;;) {
      const schemaVersion = this.#schemaVersion;
      const evaluators = { evaluate: this.#evaluate, compileTable: this.#compileTable };
      const prepared = await prepareCommit(this.#stores, mutations, evaluators);
      if (schemaVersion === this.#schemaVersion) return { ...prepared, schemaVersion };
    }
  }

  #commitNow(request: CommitRequest, { defaults, rules }: CommitPreparation): CommitResult {
    const { reads } = request;
    if (reads && (reads.schemaVersion !== this.#schemaVersion || reads.readSet.changedSince(reads.snapshot))) {
      throw aborted('Transaction was aborted: rows that it read were changed by a later commit.');
    }
    const work = (log: ChangeLog<TableStore>): number => {
      let count = 0;
      for (const mutation of request.mutations) {
        count += applyMutation(mutation, { stores: this.#stores, log, defaults: defaults.draw, rules });
        if (count > MAX_MUTATIONS) throw tooManyMutations();
      }
      rules.settle(log.changes, log);
      return count;
    };
    return this.#write(request.transaction, work);
  }

  #write(transaction: string | undefined, work: (log: ChangeLog<TableStore>) => number): CommitResult {
    const timestamp = this.clock.nextCommit();
    const result = this.#change(timestamp, work, (rows) => {
      if (rows.length > 0) this.#append({ kind: 'commit', database: this.name, timestamp, transaction, rows });
    });
    this.collect();
    return result;
  }

  /** All of `work` with its index entries and its journal record, or nothing of them. */
  #change(
    timestamp: number,
    work: (log: ChangeLog<TableStore>) => number,
    writeDown: (rows: JournalRow[]) => void,
  ): CommitResult {
    const log = new ChangeLog<TableStore>(timestamp);
    const indexLog = new ChangeLog<IndexStore>(timestamp);
    try {
      const cells = work(log);
      cascadeDeletions(log);
      const mutationCount = cells + updateIndexes(log.changes, indexLog);
      if (cells > 0 && mutationCount > MAX_MUTATIONS) throw tooManyMutations();
      requireReferences(log.changes);
      writeDown(log.changes.map(journalRow));
      this.#finish(log, indexLog);
      return { timestamp, mutationCount };
    } catch (error) {
      indexLog.rollBack();
      log.rollBack();
      throw error;
    }
  }

  async #changeSchemaNow(statement: string): Promise<number> {
    const before = this.#stores;
    const schema = applyDdl(before.schema, statement);
    if (schema === before.schema) return this.clock.nowMicros();
    const rules = await RowRules.ofChanged(before.schema, schema, this.#compileTable);
    for (;;) {
      const fill = await fillNewColumns(before, schema, this.#evaluate);
      // Rows may have come while defaults were evaluated: they are counted afresh.
      if (!fill.isCurrent()) continue;
      checkRowsFit(before, schema);
      const timestamp = this.clock.nextCommit();
      const after = migrateStores(before, schema, this.#garbage);
      const work = (log: ChangeLog<TableStore>): number => {
        fill.write(after, log);
        rules.settle(log.changes, log);
        for (const name of tablesWithNewChecks(before.schema, schema)) rules.validate(tableStore(after, name));
        requireNewReferences(before.schema, after);
        return 0;
      };
      try {
        this.#change(timestamp, work, (fillRows) =>
          this.#append({ kind: 'ddl', database: this.name, timestamp, statement, fillRows }),
        );
      } catch (error) {
        if (rules.outcomes.isComplete) throw error;
        await rules.outcomes.evaluateMissing();
        continue;
      }
      this.#arrange(after, timestamp);
      return timestamp;
    }
  }

  #replayRows(timestamp: number, rows: readonly JournalRow[]): void {
    const log = new ChangeLog<TableStore>(timestamp);
    const indexLog = new ChangeLog<IndexStore>(timestamp);
    for (const [table, key, cells] of rows) {
      const store = tableStore(this.#stores, table);
      if (cells) log.put(store, key, cells);
      else log.delete(store, key);
    }
    updateIndexes(log.changes, indexLog);
    this.#finish(log, indexLog);
  }

  #arrange(after: Stores, timestamp: number): void {
    this.#stores = after;
    this.#schemaVersion += 1;
    this.clock.committed(timestamp);
  }

  #finish(log: ChangeLog<TableStore>, indexLog: ChangeLog<IndexStore>): void {
    this.#settle(log);
    this.#settle(indexLog);
    this.clock.committed(log.timestamp);
  }

  #settle<S extends RowStore>(log: ChangeLog<S>): void {
    for (const { store, key, before } of log.changes) {
      store.lastWrite = log.timestamp;
      const now = store.rows.get(key);
      if (now && (before || !now.cells)) this.#garbage.add(store.rows, key, now);
    }
  }
}

/** The status that makes clients run their transaction again. */
export function aborted(message: string): RpcError {
  return new RpcError(status.ABORTED, message, { retryDelayMs: 5 });
}

function journalRow({ store, key }: { store: TableStore; key: string }): JournalRow {
  return [store.table.name.toLowerCase(), key, store.rows.get(key)?.cells];
}

function tooManyMutations(): RpcError {
  return new RpcError(
    status.INVALID_ARGUMENT,
    `The transaction contains too many mutations. Insert and update operations count with the multiplicity of the number of columns they affect. For example, inserting values into one key column and four non-key columns count as five mutations total for the insert. Delete and delete range operations count as one mutation regardless of the number of columns affected. The total mutation count includes any changes to indexes that the transaction generates. Please reduce the number of writes, or use fewer indexes. (Maximum number: ${MAX_MUTATIONS})`,
  );
}
