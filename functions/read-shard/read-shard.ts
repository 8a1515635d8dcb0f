import type { SpannerChannel } from '../../shared/adapters/spanner/channel.ts';
import type { EpochStore, StoredShard } from '../../shared/adapters/spanner/epochs/epoch-store.ts';
import type { ShardLease, ShardLeases } from '../../shared/adapters/spanner/epochs/shard-leases.ts';
import { readRows } from '../../shared/adapters/spanner/reader/read-rows.ts';
import { shardRead } from '../../shared/adapters/spanner/reader/shard-read.ts';
import type { ReadingOf, ReadingWatch } from '../../shared/adapters/telemetry/watch-reading.ts';
import { audit } from '../../shared/base/audit.ts';
import type { Clock } from '../../shared/base/clock.ts';
import { messageOf, PenstockError } from '../../shared/base/errors.ts';
import type { Log } from '../../shared/base/log.ts';
import { deliveredRows, type Position } from '../../shared/model/epochs/cut-block.ts';
import type { Delivery } from '../../shared/model/epochs/delivery.ts';
import { divideBlock, positionAfter, rowSpan } from '../../shared/model/epochs/divide-block.ts';
import { announcementOf, batchMetadata, type Manifest, type Versions } from '../../shared/model/epochs/manifest.ts';
import { type LayoutOf, layoutOfFormat } from '../../shared/model/tensors/batch-format.ts';
import type { ColumnBlock } from '../../shared/model/tensors/column-vector.ts';
import { type BatchEncoder, batchEncoder } from '../../shared/model/tensors/encode-batch.ts';
import { checkVersions } from './check-versions.ts';
import { type ReadingStopwatch, type ReadingTime, readingStopwatch } from './reading-time.ts';
import { refuseWhenPast } from './refuse-when-past.ts';
import { sendWindow } from './send-window.ts';

/** Batches that are sent while the next one is made. */
const MAX_UNDER_WAY = 8;
const MAX_BYTES_UNDER_WAY = 16 * 1024 * 1024;

/** What reading takes. */
export interface ReadTools {
  readonly store: EpochStore;
  readonly leases: ShardLeases;
  readonly channel: SpannerChannel;
  /** Finds where the epoch's batches go; `signal` ends its waiting. */
  readonly trainerOf: (manifest: Manifest, signal: AbortSignal) => Delivery;
  readonly versions: Versions;
  readonly clock: Clock;
  /** A lease that ends within so long is renewed before the next batch. */
  readonly renewWithinMs: number;
  /** Aborted when time runs out: the batch in hand is finished, the position saved, the lease given up. */
  readonly signal: AbortSignal;
  /** Throws when this epoch may not be read: nothing is taken, nothing is recorded. */
  readonly admit?: (manifest: Manifest) => void;
  /** As whom the rows are read, and where the audit lines go: one for each reading of a shard. */
  readonly access?: { readonly identity: string; readonly log: Log };
  /** Begins to watch a reading, for figures and traces. */
  readonly watch?: (of: ReadingOf) => ReadingWatch;
  /** Told after each batch. */
  readonly onBatch?: (batch: { readonly shard: number; readonly sequence: number; readonly rows: number }) => void;
}

/** What became of a shard job. */
export type ShardOutcome =
  | { readonly status: 'done'; readonly rows: number; readonly batches: number; readonly time?: ReadingTime }
  /** It was done before; an epoch that was left without its end has it now. */
  | { readonly status: 'done-before' }
  /** Another reader is at it until then, unless it renews. */
  | { readonly status: 'leased'; readonly expiresAtMs: number }
  /** Stopped at `signal`: the remainder is for the next reader. */
  | { readonly status: 'stopped'; readonly position: Position; readonly time?: ReadingTime };

/**
 * Reads one shard at the epoch's timestamp and delivers its batches, from where the reader before stopped.
 *
 * A batch's bytes depend on the plan and its number only, so that batches sent again after a crash are duplicates to the
 * trainer, never other rows. When the last shard is done, the epoch is ended.
 *
 * @throws {PenstockError} with code `NOT_FOUND` for a shard that was never planned, `PLAN_VERSIONS` when this process would
 *   make other bytes; with `retryable` false after the shard was recorded as failed
 */
export async function readShard(epoch: string, shard: number, tools: ReadTools): Promise<ShardOutcome> {
  const stored = await tools.store.find(epoch);
  if (!stored) throw notPlanned(epoch, shard);
  const { manifest } = stored;
  tools.admit?.(manifest);
  checkVersions(manifest, tools.versions);
  const layoutOf = await layoutOfFormat(manifest.plan.format ?? 'safetensors');
  const taken = await tools.leases.take(epoch, shard);
  if (taken.status === 'unknown') throw notPlanned(epoch, shard);
  if (taken.status === 'leased') return { status: 'leased', expiresAtMs: taken.expiresAtMs };
  const trainer = tools.trainerOf(manifest, tools.signal);
  if (taken.status === 'done') {
    await endWhenComplete(manifest, trainer, tools);
    return { status: 'done-before' };
  }
  const reading = new ShardReading(manifest, taken.lease, { trainer, layoutOf }, tools);
  try {
    const outcome = await reading.run();
    auditReading(reading.lease, manifest, tools);
    reading.endWatch(outcome.status);
    return outcome;
  } catch (error) {
    await reading.quiet();
    reading.endWatch(tools.signal.aborted ? 'stopped' : 'failed', tools.signal.aborted ? undefined : error);
    auditReading(reading.lease, manifest, tools, tools.signal.aborted ? undefined : error);
    if (tools.signal.aborted) return await reading.stop();
    await giveUp(reading.lease, error, tools);
    throw error;
  }
}

/** One reader's way through one shard. */
class ShardReading {
  readonly #manifest: Manifest;
  readonly #trainer: Delivery;
  readonly #tools: ReadTools;
  readonly #encoder: BatchEncoder;
  readonly #window = sendWindow(MAX_UNDER_WAY, MAX_BYTES_UNDER_WAY);
  readonly #watch: ReadingStopwatch;
  readonly #watching: ReadingWatch | undefined;
  /** The blocks so far: their batches are answered for, and their ends are saved, one after the other. */
  #settled: Promise<void> = Promise.resolve();
  /** The same without the last of them, whose answers and saving may take as long as the block in hand. */
  #settledBefore: Promise<void> = Promise.resolve();
  /** Where the block in hand starts; what is saved of the lease lies up to two blocks behind. */
  #position: Position;
  lease: ShardLease;

  constructor(manifest: Manifest, lease: ShardLease, way: { trainer: Delivery; layoutOf: LayoutOf }, tools: ReadTools) {
    const { transforms, columns, key } = manifest.plan;
    this.#manifest = manifest;
    this.#trainer = way.trainer;
    this.#tools = tools;
    this.#encoder = batchEncoder(transforms, columns, key.length, way.layoutOf);
    this.#watch = readingStopwatch(tools.clock);
    this.#watching = tools.watch?.({
      feed: manifest.plan.feed,
      epoch: manifest.epoch,
      shard: lease.of,
      readTimestampMs: Date.parse(manifest.readTimestamp),
    });
    this.lease = lease;
    this.#position = lease.position;
  }

  async run(): Promise<ShardOutcome> {
    refuseWhenPast(this.#manifest, this.#tools.clock());
    await this.#trainer.announce(this.lease.epoch, announcementOf(this.#manifest));
    if (!this.#isAtCut()) {
      for await (const block of this.#watch.rows(this.#blocks())) {
        await this.#watch.trainer(this.#settledBefore);
        if (this.#isAtCut()) break;
        if (this.#tools.signal.aborted) {
          await this.#settled;
          return await this.stop();
        }
        await this.#deliver(block);
      }
      await this.#watch.trainer(this.#settled);
    }
    await this.#endShard();
    await this.#tools.leases.finish(this.lease);
    await endWhenComplete(this.#manifest, this.#trainer, this.#tools);
    const { position, start } = this.lease;
    const batches = position.nextSequence - start.nextSequence;
    return { status: 'done', rows: position.rows - start.rows, batches, time: this.#watch.time() };
  }

  /** The last reader of a planned shard tells the trainer; of two that are last at once none does, but whoever ends the epoch. */
  async #endShard(): Promise<void> {
    const { epoch, shard, of, cut, position } = this.lease;
    const isWhole = shard === of && cut === undefined;
    if (isWhole) {
      await this.#trainer.endShard(epoch, of, { rows: deliveredRows(position), batches: position.nextSequence });
      return;
    }
    const parts = (await this.#tools.store.shards(epoch)).filter((part) => part.of === of);
    if (parts.every((part) => part.state === 'done' || part.shard === shard)) {
      await this.#trainer.endShard(epoch, of, countsOf(parts));
    }
  }

  /** The rest was cut off for another reader. */
  #isAtCut(): boolean {
    const { cut } = this.lease;
    return cut !== undefined && this.#position.block >= cut.block;
  }

  /** Waits until nothing of this reader is under way any more; what failed is known. */
  async quiet(): Promise<void> {
    await this.#window.drain().catch(() => {});
    await this.#settled.catch(() => {});
  }

  async stop(): Promise<ShardOutcome> {
    await this.#tools.leases.release(this.lease);
    return { status: 'stopped', position: this.lease.position, time: this.#watch.time() };
  }

  #blocks(): AsyncGenerator<ColumnBlock, void, undefined> {
    const { of: shard, position } = this.lease;
    const { columns } = this.#manifest.plan;
    const { channel, signal } = this.#tools;
    const read = shardRead(this.#manifest, { shard, columns, afterKey: position.afterKey, signal });
    // A block's batches are made before the next one is asked for.
    return readRows(channel, { ...read, reuse: true });
  }

  async #deliver(block: ColumnBlock): Promise<void> {
    const { plan } = this.#manifest;
    const { epoch, of: shard } = this.lease;
    const position = this.#position;
    const batches = divideBlock(plan, { shard, position }, block, plan.columns);
    for (const { sequence, role, rows } of batches) {
      const room = await this.#watch.trainer(this.#window.room());
      await this.#holdLease();
      const place = { shard, sequence, role, rows: rows.length, ...rowSpan(position, block) };
      const body = this.#encoder.encode(block, rows, batchMetadata(this.#manifest, place), room);
      this.#window.start(body, async () => {
        await this.#put({ epoch, shard, sequence, role }, rows.length, body);
        this.#tools.onBatch?.({ shard, sequence, rows: rows.length });
      });
    }
    this.#position = positionAfter(plan, position, block, batches);
    this.#settledBefore = this.#settled;
    this.#settled = this.#save(this.#position, this.#window.drain(), this.#settledBefore);
    // It is waited for before the next block but one.
    this.#settled.catch(() => {});
  }

  async #put(place: Parameters<Delivery['putBatch']>[0], rows: number, body: Buffer): Promise<void> {
    const watched = this.#watching?.batch({ sequence: place.sequence, rows });
    try {
      watched?.taken(await this.#trainer.putBatch({ ...place, traceparent: watched.traceparent }, body));
      if (!watched) await this.#trainer.putBatch(place, body);
    } catch (error) {
      watched?.failed(error);
      throw error;
    }
  }

  /** Figures and the piece of the trace end with the reading. */
  endWatch(outcome: string, error?: unknown): void {
    this.#watching?.waited(this.#watch.time());
    this.#watching?.end(outcome, error);
  }

  /** The position is one that no batch before is missing at. */
  async #save(position: Position, answered: Promise<void>, before: Promise<void>): Promise<void> {
    await Promise.all([answered, before]);
    this.lease = await this.#tools.leases.save(this.lease, position);
    this.#watching?.waited(this.#watch.time());
  }

  /** Before each batch: one that slept past its lease finds out here that another has taken over, and sends nothing. */
  async #holdLease(): Promise<void> {
    const { leases, clock, renewWithinMs, signal } = this.#tools;
    signal.throwIfAborted();
    if (clock() + renewWithinMs < this.lease.expiresAtMs) return;
    // A save under way renews it too, and what is saved must not go back behind it.
    await this.#settled;
    signal.throwIfAborted();
    if (clock() + renewWithinMs >= this.lease.expiresAtMs) this.lease = await leases.renew(this.lease);
  }
}

async function endWhenComplete(manifest: Manifest, trainer: Delivery, { store }: ReadTools): Promise<void> {
  const { epoch } = manifest;
  if ((await store.openShards(epoch)).length > 0) return;
  const stored = await store.find(epoch);
  if (stored?.state === 'delivered') return;
  const shards = Map.groupBy(await store.shards(epoch), ({ of }) => of);
  for (const [shard, parts] of shards) {
    if (parts.length > 1) await trainer.endShard(epoch, shard, countsOf(parts));
  }
  await trainer.endEpoch(epoch);
  await store.markDelivered(epoch);
}

/** Counts of a planned shard, whose parts are all read: the part at its end knows them, for positions count from its start. */
function countsOf(parts: readonly StoredShard[]): { rows: number; batches: number } {
  const rows = Math.max(...parts.map(({ position }) => deliveredRows(position)));
  return { rows, batches: Math.max(...parts.map(({ position }) => position.nextSequence)) };
}

/** Who read which columns of what, as of when; never which keys. */
function auditReading(
  lease: ShardLease,
  { plan, readTimestamp }: Manifest,
  { access }: ReadTools,
  error?: unknown,
): void {
  if (!access) return;
  const { epoch, shard, position } = lease;
  const { table, columns, where, sql } = plan;
  const joined = plan.join?.map((join) => join.table);
  const details = { epoch, shard, columns, where, sql, joined, readTimestamp, rows: position.rows };
  audit(access.log, {
    action: 'spanner.read',
    identity: access.identity,
    resource: table,
    outcome: error === undefined ? 'done' : 'failed',
    details: error === undefined ? details : { ...details, reason: messageOf(error) },
  });
}

/** What another try cannot mend is recorded; all else is left for the next reader, at once. */
async function giveUp(lease: ShardLease, error: unknown, { leases }: ReadTools): Promise<void> {
  if (error instanceof PenstockError && !error.retryable) await leases.fail(lease, messageOf(error));
  else await leases.release(lease).catch(() => {});
}

function notPlanned(epoch: string, shard: number): PenstockError {
  return new PenstockError(`There is no shard ${shard} of an epoch ${epoch}`, {
    code: 'NOT_FOUND',
    remedy: 'Plan the epoch in this database first',
    retryable: false,
  });
}
