import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { CompileTable } from '../row-program.ts';
import type { JournalRecord } from '../storage/journal-record.ts';
import type { CommitResult } from './database.ts';
import { Database } from './database.ts';
import type { Evaluate } from './defaults.ts';
import { Transactions } from './transactions.ts';

export interface Instance {
  readonly name: string;
  readonly config: string;
  readonly displayName: string;
}

/** A session as the server knows it. */
export interface Session {
  readonly name: string;
  readonly multiplexed: boolean;
  /** The database role that it acts as; absent, it may do everything. */
  readonly role?: string | undefined;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

/** A database with what runs in it. */
export interface OpenDatabase {
  readonly database: Database;
  readonly transactions: Transactions;
}

export interface CatalogOptions {
  readonly now: () => number;
  readonly evaluate: Evaluate;
  readonly compileTable: CompileTable;
  readonly append: (record: JournalRecord) => void;
}

/** Every instance, database and session of a server, written to the journal as they come and go. */
export class Catalog {
  readonly instances = new Map<string, Instance>();
  readonly databases = new Map<string, OpenDatabase>();
  readonly sessions = new Map<string, Session>();
  readonly #options: CatalogOptions;
  readonly #committed = new Map<string, Map<string, CommitResult>>();

  constructor(options: CatalogOptions) {
    this.#options = options;
  }

  /** Does what a record says, and writes it down. */
  record(record: JournalRecord): void {
    this.#options.append(record);
    this.replay(record);
  }

  /** Row versions that are kept, deletions included. */
  get versionCount(): number {
    let count = 0;
    for (const { database } of this.databases.values()) {
      count += database.supersededCount;
      for (const { rows } of database.stores.tables.values()) count += rows.size;
    }
    return count;
  }

  nowMicros(): number {
    return Math.floor(this.#options.now() * 1000);
  }

  database(name: string): OpenDatabase {
    const open = this.databases.get(name);
    if (open) return open;
    throw new RpcError(status.NOT_FOUND, `Database not found: ${name}`);
  }

  instance(name: string): Instance {
    const instance = this.instances.get(name);
    if (instance) return instance;
    throw new RpcError(status.NOT_FOUND, `Instance not found: ${name}`);
  }

  replay(record: JournalRecord): void {
    switch (record.kind) {
      case 'instance':
        this.instances.set(record.name, record);
        break;
      case 'drop-instance':
        this.instances.delete(record.name);
        for (const name of this.databases.keys()) if (isWithin(name, record.name)) this.#dropDatabase(name);
        break;
      case 'database':
        this.#addDatabase(record.name, record.createdAt);
        break;
      case 'drop-database':
        this.#dropDatabase(record.name);
        break;
      case 'session':
        this.sessions.set(record.name, record);
        break;
      case 'drop-session':
        this.sessions.delete(record.name);
        break;
      default:
        this.databases.get(record.database)?.database.replay(record);
        if (record.kind === 'commit' && record.transaction !== undefined) {
          const { timestamp } = record;
          this.#committed.get(record.database)?.set(record.transaction, { timestamp, mutationCount: 0 });
        }
    }
  }

  #addDatabase(name: string, createdAt: number): void {
    const database = new Database({ ...this.#options, name, createdAt });
    const { now } = this.#options;
    const committed = new Map<string, CommitResult>();
    this.#committed.set(name, committed);
    this.databases.set(name, { database, transactions: new Transactions(database, now, committed) });
  }

  #dropDatabase(name: string): void {
    this.databases.delete(name);
    this.#committed.delete(name);
    for (const session of this.sessions.keys()) if (isWithin(session, name)) this.sessions.delete(session);
  }
}

function isWithin(name: string, parent: string): boolean {
  return name.startsWith(`${parent}/`);
}
