import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Float, Numeric, Spanner } from '@google-cloud/spanner';
import { readSafetensors } from '../../../deploy/local/trainer/safetensors.ts';
import { checkFeed } from '../../../functions/plan-epoch/check-feed.ts';
import { planEpoch } from '../../../functions/plan-epoch/plan-epoch.ts';
import { readShard } from '../../../functions/read-shard/read-shard.ts';
import { ConfigError } from '../../../shared/base/errors.ts';
import type { Feed } from '../../../shared/model/config/declaration.ts';
import type { Transform } from '../../../shared/model/config/transform.ts';
import type { Plain } from '../../shared/model/tensors/plain-columns.ts';
import { applyPlainly, type FittedJson } from '../../shared/model/tensors/plain-transforms.ts';
import { declaration, openFeedStage } from './feed-stage.ts';

const TABLE = `CREATE TABLE Things (
  Id INT64 NOT NULL, Seats INT64, Ratio FLOAT64, Half FLOAT32, Price NUMERIC, Open BOOL, Name STRING(MAX), Raw BYTES(16),
  Day DATE, Moment TIMESTAMP, Marks ARRAY<INT64>, Vector ARRAY<FLOAT32>, Wide ARRAY<FLOAT64>
) PRIMARY KEY (Id DESC)`;

const transforms: Transform[] = [
  { tensor: 'id', column: 'Id', kind: 'cast', as: 'int64', fillNull: undefined },
  { tensor: 'seats', column: 'Seats', kind: 'cast', as: 'uint8', fillNull: 9 },
  { tensor: 'ratio', column: 'Ratio', kind: 'cast', as: 'float64', fillNull: 0.5 },
  { tensor: 'half', column: 'Half', kind: 'cast', as: 'float32', fillNull: 0 },
  { tensor: 'cents', column: 'Price', kind: 'cast', as: 'int64', scale: 2, fillNull: 0 },
  { tensor: 'open', column: 'Open', kind: 'cast', as: 'bool', fillNull: 0 },
  { tensor: 'day', column: 'Day', kind: 'cast', as: 'int32', fillNull: 0 },
  { tensor: 'at', column: 'Moment', kind: 'cast', as: 'int64', fillNull: 0 },
  {
    tensor: 'micros',
    column: 'Moment',
    kind: 'part',
    part: 'microsecond',
    zone: 'UTC',
    oneHot: undefined,
    fillNull: 0,
  },
  { tensor: 'month', column: 'Day', kind: 'part', part: 'month', zone: 'UTC', oneHot: 12, fillNull: 1 },
  { tensor: 'normal', column: 'Price', kind: 'normalise', method: 'mean-variance', fillNull: 'mean' },
  { tensor: 'quantile', column: 'Ratio', kind: 'bucket', bounds: undefined, quantiles: 4, oneHot: true, fillNull: 0 },
  { tensor: 'word', column: 'Name', kind: 'vocabulary', maxSize: 2, unknown: 3, minCount: 2 },
  { tensor: 'cross', column: 'Name', kind: 'hash', cross: 'Open', buckets: 500, oneHot: false, fillNull: 'none' },
  { tensor: 'raw_hash', column: 'Raw', kind: 'hash', cross: undefined, buckets: 16, oneHot: true, fillNull: '' },
  { tensor: 'name', column: 'Name', kind: 'text', length: 6, truncate: true, fillNull: '' },
  { tensor: 'raw', column: 'Raw', kind: 'text', length: 4, truncate: true, fillNull: '' },
  { tensor: 'marks', column: 'Marks', kind: 'list', as: 'int32', length: 3, pad: -1, truncate: true, fillNull: 0 },
  {
    tensor: 'vector',
    column: 'Vector',
    kind: 'list',
    as: 'float32',
    length: 3,
    pad: undefined,
    truncate: false,
    fillNull: 0,
  },
  {
    tensor: 'wide',
    column: 'Wide',
    kind: 'list',
    as: 'float64',
    length: 2,
    pad: 0,
    truncate: false,
    fillNull: undefined,
  },
];

const feed: Feed = {
  name: 'things',
  table: 'Things',
  transforms,
  label: { column: 'Id', greaterThan: 60 },
  weight: { kind: 'balanced' },
  split: undefined,
  batchRows: 16,
  shards: 3,
  shardRows: undefined,
  seed: 3,
  schedule: undefined,
  trainer: undefined,
};

/** A row as the plain program takes it; every seventh column of it is NULL. */
function thing(id: number): Record<string, Plain> {
  const row: Record<string, Plain> = {
    Seats: BigInt(id % 256),
    Ratio: id % 11 === 0 ? Number.NaN : id / 7 - 3,
    Half: Math.fround(id / 3),
    Price: `${id - 50}.${String((id * 7) % 100).padStart(2, '0')}`,
    Open: id % 2 === 0,
    Name: ['SFO', 'né', '漢字か', 'x'][id % 4] ?? '',
    Raw: Buffer.of(id, 255, 0, 128, 7).subarray(0, id % 6),
    Day: new Date(Date.UTC(1960, 0, 1) + id * 86_400_000 * 331).toISOString().slice(0, 10),
    Moment: BigInt(id - 50) * 86_399_123_456_789n,
    Marks: Array.from({ length: id % 5 }, (_, at) => (at === 1 ? null : BigInt(at - id))),
    Vector: [id, Math.fround(0.1), -1],
    Wide: [id / 3].slice(0, id % 2),
  };
  const names = Object.keys(row);
  for (const [at, name] of names.entries()) if ((id + at) % 7 === 0 && name !== 'Wide') row[name] = null;
  return { ...row, Id: BigInt(id) };
}

/** The same row as the official client takes it. */
function inserted(row: Record<string, Plain>): Record<string, unknown> {
  const of = (name: string, value: Plain): unknown => {
    if (value === null) return null;
    if (name === 'Ratio') return new Float(Number(value));
    if (name === 'Half') return Spanner.float32(Number(value));
    if (name === 'Price') return new Numeric(String(value));
    if (name === 'Moment') return instant(BigInt(String(value)));
    if (name === 'Vector' && Array.isArray(value)) return value.map((item) => Spanner.float32(Number(item)));
    if (name === 'Wide' && Array.isArray(value)) return value.map((item) => new Float(Number(item)));
    if (Array.isArray(value)) return value.map((item) => (item === null ? null : Spanner.int(String(item))));
    return typeof value === 'bigint' ? Spanner.int(String(value)) : value;
  };
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, of(name, value)]));
}

function instant(nanos: bigint): string {
  const rest = ((nanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const second = new Date(Number((nanos - rest) / 1_000_000n)).toISOString().slice(0, 19);
  return `${second}.${String(rest).padStart(9, '0')}Z`;
}

let stage: Awaited<ReturnType<typeof openFeedStage>>;

before(async () => {
  stage = await openFeedStage();
  const [operation] = await stage.database.updateSchema([TABLE]);
  await operation.promise();
  await stage.database.table('Things').insert(Array.from({ length: 100 }, (_, id) => inserted(thing(id))));
});

after(async () => {
  await stage.close();
});

test('readShard() sends what a plain program makes of the manifest and the rows, and the trainer takes every tensor', async () => {
  stage.trainer.forget();
  const tick = { idempotencyKey: 'all', nowMs: 0 };
  const planned = await planEpoch({ ...declaration, feeds: { things: feed } }, 'things', tick, stage.planTools);
  const stored = await stage.store.find(planned.epoch);
  assert.ok(stored);
  for (const shard of planned.shards) {
    assert.equal((await readShard(planned.epoch, shard, stage.readTools('one'))).status, 'done');
  }
  const json: FittedJson[] = JSON.parse(JSON.stringify(stored.manifest.plan.transforms));
  const seen: number[] = [];
  for (const body of stage.trainer.batches.values()) {
    const { tensors } = readSafetensors(body);
    const arrays = new Map(
      [...tensors].map(([name, { dtype, bytes, shape }]) => [
        name,
        { values: numbers(dtype, bytes), width: shape[1] ?? 1 },
      ]),
    );
    const ids = (arrays.get('id')?.values ?? []).map(Number);
    for (const [at, id] of ids.entries()) {
      seen.push(id);
      for (const transform of json) {
        for (const [name, expected] of Object.entries(applyPlainly(transform, thing(id)))) {
          const { values = [], width = 1 } = arrays.get(name) ?? {};
          assert.deepEqual(
            values.slice(at * width, (at + 1) * width).map(positive),
            expected.map(positive),
            `${name} of ${id}`,
          );
        }
      }
    }
  }
  assert.deepEqual(
    seen.toSorted((left, right) => left - right),
    Array.from({ length: 100 }, (_, id) => id),
  );
  assert.deepEqual(
    stage.trainer.announcement?.tensors.map(({ name }) => name).toSorted(),
    [...stored.manifest.tensors].map(({ name }) => name).toSorted(),
  );
});

test('checkFeed() refuses an array of another length than the column’s, and transforms that a column’s type cannot have', () => {
  const length = { kind: 'list', as: 'float32', length: 4, truncate: false, fillNull: undefined } as const;
  const given: Transform[] = [
    { ...length, tensor: 'a', column: 'Vector', pad: undefined },
    { tensor: 'b', column: 'Day', kind: 'part', part: 'hour', zone: 'UTC', oneHot: undefined },
    { tensor: 'c', column: 'Marks', kind: 'cast', as: 'int64', fillNull: undefined },
    { tensor: 'd', column: 'Moment', kind: 'cast', as: 'float32', fillNull: undefined },
    { tensor: 'e', column: 'Name', kind: 'hash', cross: 'Vector', buckets: 5, oneHot: false, fillNull: undefined },
    { tensor: 'f', column: 'Seats', kind: 'text', length: 4, truncate: false, fillNull: undefined },
    { ...length, tensor: 'g', column: 'Vector', pad: 0 },
  ];
  const types = new Map(
    Object.entries({
      vector: 'ARRAY<FLOAT32>(vector_length=>3)',
      day: 'DATE',
      marks: 'ARRAY<INT64>',
      moment: 'TIMESTAMP',
      name: 'STRING(MAX)',
      seats: 'INT64',
      id: 'INT64',
    }),
  );
  assert.throws(
    () => checkFeed({ ...feed, transforms: given }, { key: [], types, joined: new Map() }),
    (error) => {
      assert.ok(error instanceof ConfigError);
      const paths = error.problems.map(({ path }) => path.replace('feeds.things.transforms.', ''));
      assert.deepEqual(paths, ['a.length', 'b', 'c', 'd', 'e', 'f']);
      return true;
    },
  );
});

function numbers(dtype: string, bytes: Uint8Array): (number | bigint)[] {
  const { buffer } = Uint8Array.from(bytes);
  if (dtype === 'I64') return [...new BigInt64Array(buffer)];
  if (dtype === 'F64') return [...new Float64Array(buffer)];
  if (dtype === 'F32') return [...new Float32Array(buffer)];
  return dtype === 'I32' ? [...new Int32Array(buffer)] : [...new Uint8Array(buffer)];
}

/** -0 is 0. */
function positive(value: number | bigint): number | bigint {
  return typeof value === 'number' ? value + 0 : value;
}
