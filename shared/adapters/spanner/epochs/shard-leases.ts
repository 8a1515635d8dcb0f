import type { Database, Transaction } from '@google-cloud/spanner';
import type { Clock } from '../../../base/clock.ts';
import { PenstockError } from '../../../base/errors.ts';
import { type Position, startPosition } from '../../../model/epochs/cut-block.ts';
import { commitTimestamp, fieldOf, numberOf, readPosition, textOf, timeOf } from './epoch-rows.ts';

const MAX_ERROR_CHARACTERS = 4_000;

/** The right to read one shard, until it expires or is renewed. */
export interface ShardLease {
  readonly epoch: string;
  readonly shard: number;
  readonly owner: string;
  /** Grows with each owner. */
  readonly fence: number;
  /** By our own clock. */
  readonly expiresAtMs: number;
  /** Where the owner before stopped. */
  readonly position: Position;
}

/** What came of asking for a shard. */
export type LeaseOutcome =
  | { readonly status: 'taken'; readonly lease: ShardLease }
  /** Another reader is at it. */
  | { readonly status: 'leased'; readonly owner: string; readonly expiresAtMs: number }
  | { readonly status: 'done' }
  | { readonly status: 'unknown' };

/** Another reader owns the shard now: stop before the next batch. */
export class LeaseLostError extends PenstockError {
  constructor({ epoch, shard, fence }: ShardLease, theirs: number) {
    super(`Shard ${shard} of ${epoch} was taken over: fence ${fence} was overtaken by ${theirs}`, {
      code: 'LEASE_LOST',
      remedy: 'Nothing to do: the newer owner continues from the saved position',
      retryable: true,
    });
  }
}

/** Who reads which shard, and how far, in `PenstockShards`. */
export interface ShardLeases {
  take(epoch: string, shard: number): Promise<LeaseOutcome>;
  /** @throws {LeaseLostError} */
  renew(lease: ShardLease): Promise<ShardLease>;
  /**
   * Saves how far the shard was delivered, and renews the lease.
   *
   * @throws {LeaseLostError}
   */
  save(lease: ShardLease, position: Position): Promise<ShardLease>;
  /** Gives the shard up for the next reader; does nothing when the lease is lost already. */
  release(lease: ShardLease): Promise<void>;
  /** @throws {LeaseLostError} */
  finish(lease: ShardLease, counts: { readonly rows: number; readonly batches: number }): Promise<void>;
  /** Records that the shard cannot be delivered, and with it the epoch; does nothing when the lease is lost already. */
  fail(lease: ShardLease, message: string): Promise<void>;
}

/**
 * Opens the leases of a database.
 *
 * @param options.owner names this reader to people
 * @param options.leaseMs after so long without a renewal another reader may take the shard
 */
export function openShardLeases(
  database: Database,
  options: { readonly owner: string; readonly leaseMs: number; readonly clock: Clock },
): ShardLeases {
  const { owner, leaseMs, clock } = options;
  const change = (lease: ShardLease, columns: Readonly<Record<string, unknown>>, more?: Change) =>
    changeOwned(database, lease, columns, more);
  const renewal = () => ({ expiresAtMs: clock() + leaseMs });
  const renewed = async (lease: ShardLease, columns: Readonly<Record<string, unknown>>): Promise<ShardLease> => {
    const { expiresAtMs } = renewal();
    await change(lease, { ...columns, LeaseExpiresAt: timestamp(expiresAtMs) });
    return { ...lease, expiresAtMs };
  };
  return {
    take: (epoch, shard) => takeShard(database, { epoch, shard, owner, nowMs: clock(), leaseMs }),
    renew: (lease) => renewed(lease, {}),
    save: async (lease, position) => ({
      ...(await renewed(lease, {
        Position: position,
        RowCount: position.rows,
        BatchCount: position.nextSequence,
      })),
      position,
    }),
    release: (lease) => ignoreLost(change(lease, { LeaseExpiresAt: timestamp(clock()) })),
    finish: (lease, { rows, batches }) =>
      change(lease, {
        State: 'done',
        RowCount: rows,
        BatchCount: batches,
        LeaseExpiresAt: null,
        FinishedAt: commitTimestamp,
        Error: null,
      }),
    fail: (lease, message) =>
      ignoreLost(
        change(
          lease,
          { State: 'failed', LeaseExpiresAt: null, Error: message.slice(0, MAX_ERROR_CHARACTERS) },
          (transaction) =>
            transaction.update('PenstockEpochs', {
              EpochId: lease.epoch,
              State: 'failed',
              Error: `Shard ${lease.shard}: ${message}`.slice(0, MAX_ERROR_CHARACTERS),
            }),
        ),
      ),
  };
}

type Change = (transaction: Transaction) => void;

const columns = ['State', 'Fence', 'LeaseOwner', 'LeaseExpiresAt', 'Position', 'StartedAt'];

async function takeShard(
  database: Database,
  wanted: { epoch: string; shard: number; owner: string; nowMs: number; leaseMs: number },
): Promise<LeaseOutcome> {
  const { epoch, shard, owner, nowMs, leaseMs } = wanted;
  return await inTransaction(database, async (transaction): Promise<LeaseOutcome> => {
    const [rows] = await transaction.read('PenstockShards', { keys: [[epoch, String(shard)]], columns, json: true });
    const row: unknown = rows[0];
    if (row === undefined) return { status: 'unknown' };
    if (textOf(row, 'State') === 'done') return { status: 'done' };
    const expiresAtMs = timeOf(row, 'LeaseExpiresAt') ?? 0;
    if (expiresAtMs > nowMs) return { status: 'leased', owner: textOf(row, 'LeaseOwner'), expiresAtMs };
    const fence = numberOf(row, 'Fence') + 1;
    transaction.update('PenstockShards', {
      EpochId: epoch,
      ShardId: shard,
      State: 'reading',
      Fence: fence,
      LeaseOwner: owner,
      LeaseExpiresAt: timestamp(nowMs + leaseMs),
      ...(fieldOf(row, 'StartedAt') === null ? { StartedAt: timestamp(nowMs) } : {}),
      UpdatedAt: commitTimestamp,
    });
    const position = readPosition(fieldOf(row, 'Position')) ?? startPosition;
    return { status: 'taken', lease: { epoch, shard, owner, fence, expiresAtMs: nowMs + leaseMs, position } };
  });
}

/** Changes a shard's row if the lease is still ours. */
async function changeOwned(
  database: Database,
  lease: ShardLease,
  changed: Readonly<Record<string, unknown>>,
  more?: Change,
): Promise<void> {
  const { epoch, shard, fence } = lease;
  await inTransaction(database, async (transaction) => {
    const [rows] = await transaction.read('PenstockShards', {
      keys: [[epoch, String(shard)]],
      columns: ['Fence'],
      json: true,
    });
    const theirs = numberOf(rows[0], 'Fence');
    if (theirs !== fence) throw new LeaseLostError(lease, theirs);
    transaction.update('PenstockShards', {
      EpochId: epoch,
      ShardId: shard,
      ...changed,
      UpdatedAt: commitTimestamp,
    });
    more?.(transaction);
  });
}

async function inTransaction<T>(database: Database, run: (transaction: Transaction) => Promise<T>): Promise<T> {
  return await database.runTransactionAsync(async (transaction) => {
    try {
      const result = await run(transaction);
      await transaction.commit();
      return result;
    } catch (error) {
      transaction.end();
      throw error;
    }
  });
}

async function ignoreLost(change: Promise<void>): Promise<void> {
  await change.catch((error: unknown) => {
    if (!(error instanceof LeaseLostError)) throw error;
  });
}

function timestamp(ms: number): string {
  return new Date(ms).toISOString();
}
