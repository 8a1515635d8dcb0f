import type { Database, Transaction } from '@google-cloud/spanner';
import type { Clock } from '../../../base/clock.ts';
import { PenstockError } from '../../../base/errors.ts';
import type { Position } from '../../../model/epochs/cut-block.ts';
import { commitTimestamp, fieldOf, numberOf, readPart, readPosition, textOf, timeOf } from './epoch-rows.ts';
import { inTransaction } from './in-transaction.ts';

const MAX_ERROR_CHARACTERS = 4_000;

/** The right to read one shard, until it expires or is renewed. */
export interface ShardLease {
  readonly epoch: string;
  /** Number of the row: of a planned shard, or of the tail of one that was cut. */
  readonly shard: number;
  /** The planned shard whose rows these are: batches carry its number, whoever reads them. */
  readonly of: number;
  readonly owner: string;
  /** Grows with each owner. */
  readonly fence: number;
  /** By our own clock. */
  readonly expiresAtMs: number;
  /** Where the owner before stopped. Counted from the planned shard's start. */
  readonly position: Position;
  /** Where these rows start. */
  readonly start: Position;
  /** Where they end, when the rest was cut off for another reader. */
  readonly cut: Position | undefined;
}

/** What came of asking for a shard. */
export type LeaseOutcome =
  | { readonly status: 'taken'; readonly lease: ShardLease }
  /** Another reader is at it. */
  | { readonly status: 'leased'; readonly owner: string; readonly expiresAtMs: number }
  | { readonly status: 'done'; readonly of: number }
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
  /**
   * Records that every row was delivered.
   *
   * @throws {LeaseLostError}
   */
  finish(lease: ShardLease): Promise<void>;
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
  const change = (lease: ShardLease, columns: ColumnsOf, more?: Change) => changeOwned(database, lease, columns, more);
  const renewal = () => ({ expiresAtMs: clock() + leaseMs });
  const renewed = async (lease: ShardLease, position: Position): Promise<ShardLease> => {
    const { expiresAtMs } = renewal();
    let reached = position;
    const cut = await change(lease, (found) => {
      // What was read beyond is the tail's, whose reader sends the same bytes.
      reached = found !== undefined && found.block < position.block ? found : position;
      return { ...positionColumns(lease, reached), LeaseExpiresAt: timestamp(expiresAtMs) };
    });
    return { ...lease, expiresAtMs, cut, position: reached };
  };
  return {
    take: (epoch, shard) => takeShard(database, { epoch, shard, owner, nowMs: clock(), leaseMs }),
    renew: (lease) => renewed(lease, lease.position),
    save: renewed,
    release: (lease) => ignoreLost(change(lease, () => ({ LeaseExpiresAt: timestamp(clock()) }))),
    finish: async (lease) => {
      await change(lease, () => ({
        State: 'done',
        ...positionColumns(lease, lease.position),
        LeaseExpiresAt: null,
        FinishedAt: commitTimestamp,
        Error: null,
      }));
    },
    fail: (lease, message) =>
      ignoreLost(
        change(
          lease,
          () => ({ State: 'failed', LeaseExpiresAt: null, Error: message.slice(0, MAX_ERROR_CHARACTERS) }),
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

/** What a row says of its position; its counts are of its own rows, so that those of all rows add up. */
function positionColumns({ start }: ShardLease, position: Position): Readonly<Record<string, unknown>> {
  return {
    Position: position,
    RowCount: position.rows - start.rows,
    BatchCount: position.nextSequence - start.nextSequence,
  };
}

/** Columns to write, given where the shard was cut. */
type ColumnsOf = (cut: Position | undefined) => Readonly<Record<string, unknown>>;
type Change = (transaction: Transaction) => void;

const columns = ['State', 'Fence', 'LeaseOwner', 'LeaseExpiresAt', 'Position', 'StartedAt', 'KeyRange'];

async function takeShard(
  database: Database,
  wanted: { epoch: string; shard: number; owner: string; nowMs: number; leaseMs: number },
): Promise<LeaseOutcome> {
  const { epoch, shard, owner, nowMs, leaseMs } = wanted;
  return await inTransaction(database, async (transaction): Promise<LeaseOutcome> => {
    const [rows] = await transaction.read('PenstockShards', { keys: [[epoch, String(shard)]], columns, json: true });
    const row: unknown = rows[0];
    if (row === undefined) return { status: 'unknown' };
    const part = readPart(fieldOf(row, 'KeyRange'), shard);
    if (textOf(row, 'State') === 'done') return { status: 'done', of: part.of };
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
    const position = readPosition(fieldOf(row, 'Position')) ?? part.start;
    return { status: 'taken', lease: { epoch, shard, owner, fence, expiresAtMs: nowMs + leaseMs, position, ...part } };
  });
}

/** Changes a shard's row if the lease is still ours; tells where the shard was cut. */
async function changeOwned(
  database: Database,
  lease: ShardLease,
  changed: ColumnsOf,
  more?: Change,
): Promise<Position | undefined> {
  const { epoch, shard, fence } = lease;
  return await inTransaction(database, async (transaction) => {
    const [rows] = await transaction.read('PenstockShards', {
      keys: [[epoch, String(shard)]],
      columns: ['Fence', 'KeyRange'],
      json: true,
    });
    const theirs = numberOf(rows[0], 'Fence');
    if (theirs !== fence) throw new LeaseLostError(lease, theirs);
    const { cut } = readPart(fieldOf(rows[0], 'KeyRange'), shard);
    transaction.update('PenstockShards', {
      EpochId: epoch,
      ShardId: shard,
      ...changed(cut),
      UpdatedAt: commitTimestamp,
    });
    more?.(transaction);
    return cut;
  });
}

async function ignoreLost(change: Promise<unknown>): Promise<void> {
  await change.catch((error: unknown) => {
    if (!(error instanceof LeaseLostError)) throw error;
  });
}

function timestamp(ms: number): string {
  return new Date(ms).toISOString();
}
