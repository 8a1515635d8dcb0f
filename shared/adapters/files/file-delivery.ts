import { PenstockError } from '../../base/errors.ts';
import type { Delivery } from '../../model/epochs/delivery.ts';
import type { BatchFormat } from '../../model/tensors/batch-format.ts';
import type { FileStore, StoredFile } from './file-store.ts';

const extensions: Readonly<Record<BatchFormat, string>> = {
  tfrecord: 'tfrecord',
  arrow: 'arrows',
  safetensors: 'safetensors',
};
const ROLES = ['train', 'evaluate', 'test'];

/**
 * Delivers an epoch as files below a folder of its name:
 *
 *     EPOCH/epoch.json                         what a trainer would be told before the batches
 *     EPOCH/train/00003-00000017.tfrecord      batch 17 of shard 3, by its role
 *     EPOCH/shards/00003.json                  {"batches":n,"rows":n} of a shard that is whole
 *     EPOCH/_SUCCESS                           all of it, with the size and SHA-256 of each file: the epoch is whole
 *
 * A file is written whole or not at all, and never changed: the same batch again is a `duplicate`.
 */
export function fileDelivery(store: FileStore, format: BatchFormat): Delivery {
  const putJson = async (name: string, value: object): Promise<void> => {
    await store.create(name, Buffer.from(`${JSON.stringify(value, null, 2)}\n`));
  };
  return {
    async announce(epoch, announcement) {
      await putJson(`${epoch}/epoch.json`, announcement);
    },
    async putBatch({ epoch, shard, sequence, role }, body) {
      const name = `${epoch}/${role}/${digits(shard, 5)}-${digits(sequence, 8)}.${extensions[format]}`;
      return (await store.create(name, body)) === 'created' ? 'accepted' : 'duplicate';
    },
    async endShard(epoch, shard, { batches, rows }) {
      const files = await batchesOf(store, epoch, `${digits(shard, 5)}-`);
      if (files.length !== batches) throw incomplete(store.urlOf(epoch), shard, files.length, batches);
      await putJson(shardFile(epoch, shard), { batches, rows });
    },
    async endEpoch(epoch) {
      const announcement = await readJson(store, `${epoch}/epoch.json`);
      const shards = await readShards(store, epoch);
      const files = await batchesOf(store, epoch, '');
      const counted = shards.reduce((sum, { batches }) => sum + batches, 0);
      if (files.length !== counted) throw incomplete(store.urlOf(epoch), undefined, files.length, counted);
      const within = files.map(({ name, ...file }) => ({ name: name.slice(epoch.length + 1), ...file }));
      await putJson(`${epoch}/_SUCCESS`, { epoch, format, ...announcement, ends: shards, files: within });
    },
  };
}

function shardFile(epoch: string, shard: number): string {
  return `${epoch}/shards/${digits(shard, 5)}.json`;
}

async function batchesOf(store: FileStore, epoch: string, begin: string): Promise<StoredFile[]> {
  const lists = await Promise.all(ROLES.map((role) => store.list(`${epoch}/${role}/${begin}`)));
  return lists.flat();
}

async function readShards(
  store: FileStore,
  epoch: string,
): Promise<{ shard: number; batches: number; rows: number }[]> {
  const names = (await store.list(`${epoch}/shards/`)).map(({ name }) => name);
  return await Promise.all(
    names.map(async (name) => {
      const { batches, rows } = await readJson(store, name);
      return {
        shard: Number.parseInt(name.slice(name.lastIndexOf('/') + 1), 10),
        batches: Number(batches),
        rows: Number(rows),
      };
    }),
  );
}

async function readJson(store: FileStore, name: string): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await store.read(name);
  if (bytes !== undefined) return JSON.parse(bytes.toString());
  throw new PenstockError(`${store.urlOf(name)} is gone`, {
    code: 'FILES_MISSING',
    remedy: 'Deliver the epoch to another folder: somebody deletes from this one',
    retryable: false,
  });
}

function incomplete(url: string, shard: number | undefined, there: number, wanted: number): PenstockError {
  const what = shard === undefined ? 'The epoch' : `Shard ${shard}`;
  return new PenstockError(`${what} has ${wanted} batches, and ${there} files are in ${url}`, {
    code: 'FILES_MISSING',
    remedy: 'Look who else writes or deletes there',
    retryable: false,
  });
}

function digits(value: number, count: number): string {
  return String(value).padStart(count, '0');
}
