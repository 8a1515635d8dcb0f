import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32c } from './crc32c.ts';
import { StorageError } from './storage-error.ts';

/** An object as the JSON API describes it. */
export interface StoredObject {
  readonly kind: 'storage#object';
  readonly id: string;
  readonly bucket: string;
  readonly name: string;
  /** Grows with each object that is written: of two objects of one name, the newer has the greater. */
  readonly generation: string;
  readonly metageneration: string;
  readonly contentType: string;
  readonly size: string;
  /** Base64. */
  readonly md5Hash: string;
  readonly crc32c: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly timeCreated: string;
  readonly updated: string;
  readonly storageClass: 'STANDARD';
}

/** What an upload says of its object. */
export interface ObjectWish {
  readonly name?: string;
  readonly contentType?: string;
  readonly md5Hash?: string;
  readonly crc32c?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** An object with its bytes. */
export interface HeldObject {
  readonly described: StoredObject;
  readonly bytes: Buffer;
}

/** Buckets and their objects. */
export interface ObjectStore {
  readonly buckets: ReadonlyMap<string, ReadonlyMap<string, HeldObject>>;
  createBucket(name: string): void;
  deleteBucket(name: string): void;
  /** @param ifGeneration the object of that generation must be there now; 0 for none */
  put(bucket: string, wish: ObjectWish, bytes: Buffer, ifGeneration: bigint | undefined): StoredObject;
  delete(bucket: string, name: string, ifGeneration: bigint | undefined): void;
  find(bucket: string, name: string): HeldObject;
  objectsOf(bucket: string): ReadonlyMap<string, HeldObject>;
}

/** Opens the store: objects are files of a folder, each written whole, or in memory when there is none. */
export function openObjectStore(dir: string | undefined, now: () => number): ObjectStore {
  const buckets = new Map<string, Map<string, HeldObject>>();
  let lastGeneration = 0n;
  if (dir !== undefined) lastGeneration = readBack(dir, buckets);
  const objectsOf = (bucket: string): Map<string, HeldObject> => {
    const objects = buckets.get(bucket);
    if (objects === undefined)
      throw new StorageError(404, 'notFound', `The specified bucket does not exist: ${bucket}`);
    return objects;
  };
  const expect = (objects: Map<string, HeldObject>, name: string, wanted: bigint | undefined): void => {
    const there = BigInt(objects.get(name)?.described.generation ?? 0);
    if (wanted === undefined || wanted === there) return;
    const message = 'At least one of the pre-conditions you specified did not hold.';
    throw new StorageError(412, 'conditionNotMet', message);
  };
  return {
    buckets,
    objectsOf,
    createBucket(name) {
      if (!/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/.test(name)) {
        throw new StorageError(400, 'invalid', `Invalid bucket name: '${name}'`);
      }
      if (buckets.has(name))
        throw new StorageError(409, 'conflict', `Your previous request to create ${name} succeeded`);
      buckets.set(name, new Map());
      if (dir !== undefined) mkdirSync(join(dir, name), { recursive: true });
    },
    deleteBucket(name) {
      if (objectsOf(name).size > 0)
        throw new StorageError(409, 'conflict', 'The bucket you tried to delete is not empty.');
      buckets.delete(name);
      if (dir !== undefined) rmSync(join(dir, name), { recursive: true, force: true });
    },
    put(bucket, wish, bytes, ifGeneration) {
      const objects = objectsOf(bucket);
      const { name = '' } = wish;
      if (name === '' || Buffer.byteLength(name) > 1024)
        throw new StorageError(400, 'required', 'Required: object name');
      expect(objects, name, ifGeneration);
      lastGeneration = BigInt(Math.max(Number(lastGeneration) + 1, now() * 1000));
      const described = describe(bucket, { ...wish, name }, bytes, { generation: lastGeneration, at: now() });
      if (dir !== undefined) writeObject(join(dir, bucket), described, bytes);
      objects.set(name, { described, bytes });
      return described;
    },
    delete(bucket, name, ifGeneration) {
      const objects = objectsOf(bucket);
      if (!objects.has(name)) throw noObject(bucket, name);
      expect(objects, name, ifGeneration);
      objects.delete(name);
      if (dir !== undefined) rmSync(join(dir, bucket, fileOf(name)), { force: true });
    },
    find(bucket, name) {
      const held = objectsOf(bucket).get(name);
      if (held === undefined) throw noObject(bucket, name);
      return held;
    },
  };
}

function describe(
  bucket: string,
  wish: ObjectWish & { readonly name: string },
  bytes: Buffer,
  { generation, at }: { readonly generation: bigint; readonly at: number },
): StoredObject {
  const md5Hash = createHash('md5').update(bytes).digest('base64');
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32c(bytes));
  const crc = sum.toString('base64');
  if (wish.md5Hash !== undefined && wish.md5Hash !== md5Hash) throw mismatch('MD5', wish.md5Hash, md5Hash);
  if (wish.crc32c !== undefined && wish.crc32c !== crc) throw mismatch('CRC32C', wish.crc32c, crc);
  const time = new Date(at).toISOString();
  return {
    kind: 'storage#object',
    id: `${bucket}/${wish.name}/${generation}`,
    bucket,
    name: wish.name,
    generation: String(generation),
    metageneration: '1',
    contentType: wish.contentType ?? 'application/octet-stream',
    size: String(bytes.length),
    md5Hash,
    crc32c: crc,
    ...(wish.metadata && { metadata: wish.metadata }),
    timeCreated: time,
    updated: time,
    storageClass: 'STANDARD',
  };
}

function mismatch(what: string, given: string, found: string): StorageError {
  return new StorageError(
    400,
    'invalid',
    `Provided ${what} hash "${given}" doesn't match calculated ${what} hash "${found}".`,
  );
}

function noObject(bucket: string, name: string): StorageError {
  return new StorageError(404, 'notFound', `No such object: ${bucket}/${name}`);
}

/** Names may be longer than a file system takes. */
function fileOf(name: string): string {
  return createHash('sha256').update(name).digest('hex');
}

/** Description and bytes are one file, so that no crash parts them. */
function writeObject(folder: string, described: StoredObject, bytes: Buffer): void {
  const path = join(folder, fileOf(described.name));
  const unfinished = `${path}.${randomUUID()}`;
  const head = Buffer.from(`${JSON.stringify(described)}\n`);
  writeFileSync(unfinished, Buffer.concat([head, bytes]));
  renameSync(unfinished, path);
}

function readBack(dir: string, buckets: Map<string, Map<string, HeldObject>>): bigint {
  let last = 0n;
  if (!existsSync(dir)) return last;
  for (const bucket of readdirSync(dir)) {
    const objects = new Map<string, HeldObject>();
    buckets.set(bucket, objects);
    for (const file of readdirSync(join(dir, bucket))) {
      const path = join(dir, bucket, file);
      if (!/^[0-9a-f]{64}$/.test(file)) {
        rmSync(path);
        continue;
      }
      const whole = readFileSync(path);
      const end = whole.indexOf('\n');
      const described: StoredObject = JSON.parse(whole.subarray(0, end).toString());
      objects.set(described.name, { described, bytes: whole.subarray(end + 1) });
      if (BigInt(described.generation) > last) last = BigInt(described.generation);
    }
  }
  return last;
}
