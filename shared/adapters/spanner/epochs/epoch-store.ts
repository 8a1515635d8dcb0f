import type { Database } from '@google-cloud/spanner';
import { PenstockError } from '../../../base/errors.ts';
import type { Position } from '../../../model/epochs/cut-block.ts';
import { canonicalJson, type Manifest, outlineOf, planDigest, shardRanges } from '../../../model/epochs/manifest.ts';
import { withinDeadline } from '../within-deadline.ts';
import {
  commitTimestamp,
  fieldOf,
  isManifest,
  numberOf,
  readPart,
  readPosition,
  type ShardPart,
  textOf,
  timeOf,
} from './epoch-rows.ts';

/** Looking comes first: Spanner that is down is said soon, and whoever asked asks again. */
const FIND_DEADLINE_MS = 8_000;
/** Of `Manifest`: Spanner's largest cell is 10 MiB. */
const MAX_MANIFEST_BYTES = 9 * 1024 * 1024;
/** A shard row counts nine mutations of the 80,000 in a commit. */
export const maxShards = 5_000;

/** `planned`: its shard jobs are not all published; `reading`: they are. */
export type EpochState = 'planned' | 'reading' | 'delivered' | 'failed';

export interface StoredEpoch {
  readonly state: EpochState;
  readonly manifest: Manifest;
}

/** A row of `PenstockShards`. */
export interface StoredShard extends ShardPart {
  readonly shard: number;
  readonly state: string;
  /** Delivered of its own rows, as far as is saved. */
  readonly rows: number;
  readonly batches: number;
  readonly position: Position;
  readonly startedAtMs: number | undefined;
  readonly leaseExpiresAtMs: number | undefined;
}

/** The epochs in `PenstockEpochs` and the states of their shards. */
export interface EpochStore {
  find(epochId: string): Promise<StoredEpoch | undefined>;
  /**
   * Writes an epoch with its shards in one transaction. An epoch that is there already stays as it is and is returned:
   * of two planners of one tick the first decides.
   */
  save(manifest: Manifest): Promise<StoredEpoch>;
  /** All shard jobs have been published. */
  markReading(epochId: string): Promise<void>;
  /** Numbers of the shards that are not done. */
  openShards(epochId: string): Promise<number[]>;
  /** All shards, those that were cut off others behind those that were planned. */
  shards(epochId: string): Promise<StoredShard[]>;
  /** The trainer knows that the epoch is complete; adds up rows and batches. Repeating it changes nothing. */
  markDelivered(epochId: string): Promise<void>;
}

/** Opens the epochs of a database. */
export function openEpochStore(database: Database): EpochStore {
  return {
    find: (epochId) => withinDeadline(FIND_DEADLINE_MS, `look for epoch ${epochId}`, findEpoch(database, epochId)),
    save: (manifest) => saveEpoch(database, manifest),
    markReading: (epochId) => moveState(database, epochId, 'reading', ['planned']),
    openShards: (epochId) => readOpenShards(database, epochId),
    shards: (epochId) => readShards(database, epochId),
    async markDelivered(epochId) {
      const shards = await readShards(database, epochId);
      await moveState(database, epochId, 'delivered', ['planned', 'reading', 'failed'], {
        RowCount: shards.reduce((sum, { rows }) => sum + rows, 0),
        BatchCount: shards.reduce((sum, { batches }) => sum + batches, 0),
        DeliveredAt: commitTimestamp,
        Error: null,
      });
    },
  };
}

async function findEpoch(database: Database, epochId: string): Promise<StoredEpoch | undefined> {
  const [rows] = await database.table('PenstockEpochs').read({
    keys: [[epochId]],
    columns: ['State', 'Manifest'],
    json: true,
  });
  return rows.length === 0 ? undefined : storedEpoch(epochId, rows[0]);
}

function storedEpoch(epochId: string, row: unknown): StoredEpoch {
  const manifest = fieldOf(row, 'Manifest');
  const state = ['planned', 'reading', 'delivered', 'failed'].find((known) => known === textOf(row, 'State'));
  if (!isManifest(manifest) || !isState(state)) throw damaged(epochId, 'its manifest is of another version');
  if (planDigest(manifest.plan) !== manifest.planDigest) throw damaged(epochId, 'its plan does not have its digest');
  return { state, manifest };
}

function isState(state: string | undefined): state is EpochState {
  return state !== undefined;
}

function damaged(epochId: string, problem: string): PenstockError {
  return new PenstockError(`Epoch ${epochId} cannot be read: ${problem}`, {
    code: 'EPOCH_UNREADABLE',
    remedy: 'Plan a new epoch with the version that is deployed',
    retryable: false,
  });
}

async function saveEpoch(database: Database, manifest: Manifest): Promise<StoredEpoch> {
  const json = canonicalJson(manifest);
  if (Buffer.byteLength(json) > MAX_MANIFEST_BYTES) throw tooLarge(manifest.epoch, Buffer.byteLength(json));
  return await database.runTransactionAsync(async (transaction) => {
    try {
      const [found] = await transaction.read('PenstockEpochs', {
        keys: [[manifest.epoch]],
        columns: ['State', 'Manifest'],
        json: true,
      });
      if (found.length > 0) {
        transaction.end();
        return storedEpoch(manifest.epoch, found[0]);
      }
      transaction.insert('PenstockEpochs', epochRow(manifest));
      transaction.insert('PenstockShards', shardRows(manifest));
      await transaction.commit();
      return { state: 'planned', manifest };
    } catch (error) {
      transaction.end();
      throw error;
    }
  });
}

function epochRow(manifest: Manifest): Record<string, unknown> {
  return {
    EpochId: manifest.epoch,
    Feed: manifest.plan.feed,
    State: 'planned',
    ReadTimestamp: manifest.readTimestamp,
    PlanDigest: manifest.planDigest,
    Manifest: manifest,
    Outline: outlineOf(manifest),
    ShardCount: shardRanges(manifest.plan).length,
    PlannedBy: manifest.plannedBy,
    PlannedAt: commitTimestamp,
  };
}

function shardRows(manifest: Manifest): Record<string, unknown>[] {
  return shardRanges(manifest.plan).map(({ from, to }, shard) => ({
    EpochId: manifest.epoch,
    ShardId: shard,
    State: 'waiting',
    KeyRange: { from: from ?? null, to: to ?? null },
    Fence: 0,
    RowCount: 0,
    BatchCount: 0,
    UpdatedAt: commitTimestamp,
  }));
}

function tooLarge(epochId: string, bytes: number): PenstockError {
  return new PenstockError(`The manifest of ${epochId} has ${bytes} bytes, more than ${MAX_MANIFEST_BYTES}`, {
    code: 'MANIFEST_TOO_LARGE',
    remedy: 'Declare smaller vocabularies (maxSize) or fewer shards',
    retryable: false,
  });
}

/** Moves an epoch on; one that is in none of the states `from` stays. */
async function moveState(
  database: Database,
  epochId: string,
  to: EpochState,
  from: readonly EpochState[],
  more: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  await database.runTransactionAsync(async (transaction) => {
    try {
      const [rows] = await transaction.read('PenstockEpochs', { keys: [[epochId]], columns: ['State'], json: true });
      if (!from.some((state) => state === textOf(rows[0], 'State'))) {
        transaction.end();
        return;
      }
      transaction.update('PenstockEpochs', { EpochId: epochId, State: to, ...more });
      await transaction.commit();
    } catch (error) {
      transaction.end();
      throw error;
    }
  });
}

async function readOpenShards(database: Database, epochId: string): Promise<number[]> {
  const [rows] = await database.table('PenstockShards').read({
    ranges: [{ startClosed: [epochId], endClosed: [epochId] }],
    columns: ['ShardId', 'State'],
    json: true,
  });
  return rows.filter((row: unknown) => textOf(row, 'State') !== 'done').map((row: unknown) => numberOf(row, 'ShardId'));
}

async function readShards(database: Database, epochId: string): Promise<StoredShard[]> {
  const [rows] = await database.table('PenstockShards').read({
    ranges: [{ startClosed: [epochId], endClosed: [epochId] }],
    columns: ['ShardId', 'State', 'RowCount', 'BatchCount', 'KeyRange', 'Position', 'StartedAt', 'LeaseExpiresAt'],
    json: true,
  });
  return rows.map((row: unknown) => {
    const shard = numberOf(row, 'ShardId');
    const part = readPart(fieldOf(row, 'KeyRange'), shard);
    return {
      shard,
      ...part,
      state: textOf(row, 'State'),
      rows: numberOf(row, 'RowCount'),
      batches: numberOf(row, 'BatchCount'),
      position: readPosition(fieldOf(row, 'Position')) ?? part.start,
      startedAtMs: timeOf(row, 'StartedAt'),
      leaseExpiresAtMs: timeOf(row, 'LeaseExpiresAt'),
    };
  });
}
