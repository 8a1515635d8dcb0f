import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readAnnouncement } from './announcement.ts';
import { type BatchPlace, checkBatch } from './check-batch.ts';
import { writeDurably } from './durable-file.ts';
import { type Epoch, missingSequences, type Shard, type ShardEnd } from './epoch.ts';
import { emptyShards, epochPaths, loadEpoch, writeEpoch, writeEpochEnd, writeShardEnd } from './epoch-files.ts';
import { Problem } from './problem.ts';
import { readTraceparent } from './traceparent.ts';

/** The epochs that have been announced, and their batches, on the disk. */
export interface EpochStore {
  readonly epochs: ReadonlyMap<string, Epoch>;
  /** Bytes of batches on the disk. */
  readonly usedBytes: number;
  /** @returns false when it was announced before, just so; @throws {Problem} 409 when otherwise */
  announce(id: string, body: Uint8Array): Promise<boolean>;
  /** The batch is on the disk when this resolves. @throws {Problem} 409 for another batch of the same sequence */
  putBatch(
    place: BatchPlace & { traceparent?: string | undefined },
    body: Uint8Array,
    digest: string,
  ): Promise<'accepted' | 'duplicate'>;
  /** @throws {Problem} 409 naming what is missing */
  endShard(id: string, shard: number, end: ShardEnd): Promise<void>;
  /** @throws {Problem} 409 naming the shards that have not ended */
  endEpoch(id: string): Promise<Epoch>;
  /** @throws {Problem} 404 */
  find(id: string): Epoch;
  findShard(id: string, shard: number): Shard;
}

const NAMED_AT_MOST = 20;

/** Opens the store, reading back what the folder holds; batches that a crash tore are dropped and needed again. */
export async function openEpochStore(dir: string, maxCacheBytes: number): Promise<EpochStore> {
  await mkdir(join(dir, 'epochs'), { recursive: true });
  const epochs = new Map<string, Epoch>();
  for (const name of await readdir(join(dir, 'epochs'))) {
    const id = decodeURIComponent(name);
    const epoch = await loadEpoch(join(dir, 'epochs', name), id);
    if (epoch !== undefined) epochs.set(id, epoch);
  }
  return new DiskEpochStore(dir, maxCacheBytes, epochs);
}

class DiskEpochStore implements EpochStore {
  readonly epochs: Map<string, Epoch>;
  usedBytes = 0;
  readonly #dir: string;
  readonly #maxCacheBytes: number;
  /** The last write under a key: the next one for the same key waits for it, so that each decides on what is true. */
  readonly #turns = new Map<string, Promise<unknown>>();
  #nextEndOrder = 0;

  constructor(dir: string, maxCacheBytes: number, epochs: Map<string, Epoch>) {
    this.#dir = dir;
    this.#maxCacheBytes = maxCacheBytes;
    this.epochs = epochs;
    for (const { shards, endOrder } of epochs.values()) {
      for (const { batches } of shards) for (const { bytes } of batches.values()) this.usedBytes += bytes;
      this.#nextEndOrder = Math.max(this.#nextEndOrder, (endOrder ?? -1) + 1);
    }
  }

  announce(id: string, body: Uint8Array): Promise<boolean> {
    return this.#inTurn(id, async () => {
      const announcement = readAnnouncement(body);
      const known = this.epochs.get(id);
      if (known !== undefined) {
        if (known.announcement.canonical === announcement.canonical) return false;
        throw new Problem(
          409,
          'Announced otherwise',
          `Epoch ${id} was announced with ${differingKeys(known.announcement.canonical, announcement.canonical)} of another value: use another id`,
        );
      }
      const folder = epochPaths.folder(this.#dir, id);
      await writeEpoch(folder, body, announcement.shardCount);
      this.epochs.set(id, {
        id,
        folder,
        announcement,
        shards: emptyShards(announcement.shardCount),
        endOrder: undefined,
      });
      return true;
    });
  }

  putBatch(
    place: BatchPlace & { traceparent?: string | undefined },
    body: Uint8Array,
    digest: string,
  ): Promise<'accepted' | 'duplicate'> {
    return this.#inTurn(`${place.epoch}/${place.shard}`, async () => {
      const epoch = this.find(place.epoch);
      const shard = this.findShard(place.epoch, place.shard);
      const known = shard.batches.get(place.sequence);
      if (known?.digest === digest) return 'duplicate';
      if (known !== undefined) {
        throw new Problem(
          409,
          'Another batch',
          `${show(place)} is here with SHA-256 ${known.digest}, not ${digest}: the reader is not deterministic`,
        );
      }
      const { rowCount, role } = checkBatch(body, epoch.announcement, place);
      this.#refuseAfterEnd(shard, place);
      if (this.usedBytes + body.length > this.#maxCacheBytes) {
        throw new Problem(
          429,
          'Cache full',
          `${this.usedBytes} of ${this.#maxCacheBytes} bytes are used: wait, or raise maxCacheBytes`,
          { 'retry-after': '5' },
        );
      }
      this.usedBytes += body.length;
      // It becomes part of a file's name.
      const traceparent = readTraceparent(place.traceparent) && place.traceparent;
      const named = { shard: place.shard, sequence: place.sequence, digest, traceparent };
      const path = epochPaths.batch(epoch.folder, named);
      try {
        await writeDurably(path, body);
      } catch (cause) {
        this.usedBytes -= body.length;
        throw cause;
      }
      shard.batches.set(place.sequence, { ...named, rowCount, role, bytes: body.length, path });
      shard.rowCount += rowCount;
      return 'accepted';
    });
  }

  async endShard(id: string, number: number, end: ShardEnd): Promise<void> {
    await this.#inTurn(`${id}/${number}`, async () => {
      const { folder } = this.find(id);
      const shard = this.findShard(id, number);
      const name = `Shard ${number} of epoch ${id}`;
      if (shard.end !== undefined) {
        if (shard.end.batches === end.batches && shard.end.rows === end.rows) return;
        throw new Problem(
          409,
          'Ended otherwise',
          `${name} ended with ${shard.end.batches} batches and ${shard.end.rows} rows`,
        );
      }
      const missing = missingSequences(shard, end.batches, NAMED_AT_MOST);
      if (missing.length > 0) {
        throw new Problem(
          409,
          'Batches missing',
          `${name} has ${shard.batches.size} of ${end.batches} batches; needed next: ${missing.join(', ')}`,
        );
      }
      if (shard.batches.size > end.batches || shard.rowCount !== end.rows) {
        throw new Problem(
          409,
          'Counts differ',
          `${name} has ${shard.batches.size} batches with ${shard.rowCount} rows, not ${end.batches} with ${end.rows}`,
        );
      }
      await writeShardEnd(folder, number, end);
      shard.end = end;
    });
  }

  endEpoch(id: string): Promise<Epoch> {
    return this.#inTurn(id, async () => {
      const epoch = this.find(id);
      if (epoch.endOrder !== undefined) return epoch;
      const open = [...epoch.shards.entries()].filter(([, { end }]) => end === undefined).map(([number]) => number);
      if (open.length > 0) {
        throw new Problem(
          409,
          'Shards open',
          `${open.length} of ${epoch.shards.length} shards have not ended: ${open.slice(0, NAMED_AT_MOST).join(', ')}`,
        );
      }
      const order = this.#nextEndOrder;
      this.#nextEndOrder += 1;
      await writeEpochEnd(epoch.folder, order);
      epoch.endOrder = order;
      return epoch;
    });
  }

  find(id: string): Epoch {
    const epoch = this.epochs.get(id);
    if (epoch === undefined)
      throw new Problem(404, 'Unknown epoch', `Epoch ${id} was not announced: PUT /v1/epochs/${id} first`);
    return epoch;
  }

  findShard(id: string, number: number): Shard {
    const { shards } = this.find(id);
    const shard = shards[number];
    if (shard === undefined)
      throw new Problem(
        404,
        'Unknown shard',
        `Epoch ${id} was announced with shards 0 to ${shards.length - 1}, not ${number}`,
      );
    return shard;
  }

  #refuseAfterEnd({ end }: Shard, place: BatchPlace): void {
    if (end === undefined) return;
    throw new Problem(409, 'Shard ended', `${show(place)} comes after the shard's end with ${end.batches} batches`);
  }

  async #inTurn<T>(key: string, act: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(key) ?? Promise.resolve()).then(act, act);
    this.#turns.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(key) === turn) this.#turns.delete(key);
    }
  }
}

function differingKeys(before: string, after: string): string {
  const old: Record<string, unknown> = JSON.parse(before);
  const given: Record<string, unknown> = JSON.parse(after);
  const keys = new Set([...Object.keys(old), ...Object.keys(given)]);
  return [...keys].filter((key) => JSON.stringify(old[key]) !== JSON.stringify(given[key])).join(', ');
}

function show({ epoch, shard, sequence }: BatchPlace): string {
  return `Batch ${sequence} of shard ${shard} of epoch ${epoch}`;
}
