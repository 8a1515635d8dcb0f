import { createHash } from 'node:crypto';
import { readShard } from '../../functions/read-shard/read-shard.ts';
import { openSpannerChannel } from '../../shared/adapters/spanner/channel.ts';
import { openEpochStore } from '../../shared/adapters/spanner/epochs/epoch-store.ts';
import type { ShardLease, ShardLeases } from '../../shared/adapters/spanner/epochs/shard-leases.ts';
import { startPosition } from '../../shared/model/epochs/cut-block.ts';
import { shardRanges, versionsOf } from '../../shared/model/epochs/manifest.ts';
import type { FeedRig } from './feed-rig.ts';

/** `shard/sequence` → SHA-256 of the batch's body, in hex. */
export type BatchDigests = ReadonlyMap<string, string>;

/**
 * Reads a whole epoch again with one reader that nobody disturbs, shard after shard, and sends it nowhere.
 *
 * @returns what every batch must be, and how many rows all of them hold
 */
export async function readQuietly(rig: FeedRig, epoch: string): Promise<{ digests: BatchDigests; rows: number }> {
  const channel = openSpannerChannel(rig.databasePath, process.env);
  const store = openEpochStore(rig.database);
  const stored = await store.find(epoch);
  if (!stored) throw new Error(`There is no epoch ${epoch}`);
  const digests = new Map<string, string>();
  let rows = 0;
  const trainer = {
    announce: async () => {},
    putBatch: async ({ shard, sequence }: { shard: number; sequence: number }, body: Buffer) => {
      digests.set(`${shard}/${sequence}`, createHash('sha256').update(body).digest('hex'));
      return 'accepted' as const;
    },
    endShard: async (_epoch: string, _shard: number, counts: { rows: number }) => {
      rows += counts.rows;
    },
    endEpoch: async () => {},
  };
  try {
    for (const shard of shardRanges(stored.manifest.plan).keys()) {
      await readShard(epoch, shard, {
        store,
        leases: endlessLeases(),
        channel,
        trainerOf: () => trainer,
        versions: versionsOf(process.versions),
        clock: Date.now,
        renewWithinMs: 0,
        signal: new AbortController().signal,
      });
    }
    return { digests, rows };
  } finally {
    channel.close();
  }
}

/** Leases that nobody else wants; each shard begins at its start. */
function endlessLeases(): ShardLeases {
  return {
    take: async (epoch, shard) => ({
      status: 'taken',
      lease: {
        epoch,
        shard,
        of: shard,
        owner: 'quiet',
        fence: 1,
        expiresAtMs: Number.MAX_SAFE_INTEGER,
        position: startPosition,
        start: startPosition,
        cut: undefined,
      },
    }),
    renew: async (lease) => lease,
    save: async (lease, position): Promise<ShardLease> => ({ ...lease, position }),
    release: async () => {},
    finish: async () => {},
    fail: async () => {},
  };
}
