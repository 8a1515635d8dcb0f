import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { rebuildBatch } from '../../../functions/read-shard/rebuild-batch.ts';
import { openSpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import { openEpochStore } from '../../../shared/adapters/spanner/epochs/epoch-store.ts';
import { openDatabase } from '../../../shared/adapters/spanner/open-database.ts';
import { PenstockError } from '../../../shared/base/errors.ts';
import { columnGuard } from '../../../shared/connect/column-guard.ts';
import { versionsOf } from '../../../shared/model/epochs/manifest.ts';
import type { Output } from '../output.ts';
import { openOwnAuthority } from '../own-authority.ts';
import { readConfig } from '../read-config.ts';
import { count } from '../screen.ts';
import { unknownEpoch } from './epoch.ts';

/** Rows between two lines of progress. */
const PROGRESS_ROWS = 1_000_000;

/** What `penstock rebuild` takes. */
export interface RebuildOptions {
  readonly config: string;
  readonly epoch: string;
  readonly shard: number;
  readonly sequence: number;
  /** File for the batch's bytes. */
  readonly out?: string;
  /** `Content-Digest` of the batch as it was delivered, or the hexadecimal digits of its SHA-256. */
  readonly expect?: string;
}

/** Makes a delivered batch again from Spanner, and says its digest. */
export async function rebuild(options: RebuildOptions, output: Output): Promise<void> {
  const { epoch, shard, sequence } = options;
  const { declaration } = await readConfig(options.config, ['spanner']);
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort());
  const open = openDatabase(declaration.spanner.database);
  const channel = openSpannerChannel(declaration.spanner.database, process.env);
  try {
    const stored = await openEpochStore(open.database).find(epoch);
    if (!stored) throw unknownEpoch(epoch);
    const own = await openOwnAuthority(declaration);
    const { plan } = stored.manifest;
    if (own) columnGuard(declaration, own, own.asker)({ name: plan.feed }, plan);
    let shown = 0;
    const onRows = (rows: number): void => {
      if (rows - shown < PROGRESS_ROWS) return;
      shown = rows;
      output.progress(`passed ${count(rows)} rows of shard ${shard}`);
    };
    const versions = versionsOf(process.versions);
    const tools = { channel, versions, clock: Date.now, signal: ending.signal, onRows };
    const { body, ...batch } = await rebuildBatch(stored.manifest, { shard, sequence }, tools);
    const hash = createHash('sha256').update(body).digest();
    if (options.out !== undefined) await writeFile(options.out, body);
    if (options.expect !== undefined) compare(options, hash);
    const contentDigest = `sha-256=:${hash.toString('base64')}:`;
    const bytes = body.length;
    const json = { epoch, shard, sequence, ...batch, bytes, contentDigest, sha256: hash.toString('hex') };
    output.result({ ...json, out: options.out }, describe({ ...json, out: options.out }));
  } finally {
    await open.close();
    channel.close();
  }
}

function compare({ epoch, shard, sequence, expect = '' }: RebuildOptions, hash: Buffer): void {
  const wanted = /^sha-256=:([A-Za-z0-9+/]{43}=):$/.exec(expect)?.[1];
  const isSame =
    wanted === undefined ? expect.toLowerCase() === hash.toString('hex') : wanted === hash.toString('base64');
  if (isSame) return;
  throw new PenstockError(
    `Batch ${sequence} of shard ${shard} of ${epoch} has SHA-256 ${hash.toString('hex')}, not ${expect}`,
    {
      code: 'DIGEST_DIFFERS',
      remedy: 'Compare the epoch, shard and sequence with the metadata of the batch that was delivered',
      retryable: false,
    },
  );
}

function describe(batch: {
  epoch: string;
  shard: number;
  sequence: number;
  role: string;
  rows: number;
  rowFrom: number;
  rowTo: number;
  bytes: number;
  contentDigest: string;
  out: string | undefined;
}): string {
  return [
    `Batch ${batch.sequence} of shard ${batch.shard} of ${batch.epoch}`,
    `  rows     ${count(batch.rows)} to ${batch.role}, of the shard’s rows ${batch.rowFrom} to ${batch.rowTo}`,
    `  bytes    ${count(batch.bytes)}${batch.out === undefined ? '' : ` in ${batch.out}`}`,
    `  digest   ${batch.contentDigest}`,
  ].join('\n');
}
