import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { Spanner } from '@google-cloud/spanner';
import fc from 'fast-check';
import { openSpannerServer } from '../../../deploy/local/spanner/server.ts';
import { type PlanTools, planEpoch } from '../../../functions/plan-epoch/plan-epoch.ts';
import { openSpannerChannel, type SpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import { openEpochStore } from '../../../shared/adapters/spanner/epochs/epoch-store.ts';
import { pinSnapshot } from '../../../shared/adapters/spanner/epochs/pin-snapshot.ts';
import { readRange } from '../../../shared/adapters/spanner/reader/read-range.ts';
import { queryOf } from '../../../shared/adapters/spanner/reader/shard-read.ts';
import type { Feed } from '../../../shared/model/config/declaration.ts';
import { compareKeys, type Key, type KeyCode, type KeyPart } from '../../../shared/model/epochs/key.ts';
import { keyAt } from '../../../shared/model/epochs/key-at.ts';
import { containsKey, type KeyRange } from '../../../shared/model/epochs/key-range.ts';
import { type Manifest, shardRanges, versionsOf } from '../../../shared/model/epochs/manifest.ts';
import { openTestDatabase, type TestDatabase } from '../../shared/adapters/spanner/test-database.ts';
import { plainDeclaration } from '../../shared/model/config/plain-pipeline.ts';
import { feed } from '../read-shard/feed-stage.ts';

const typeTexts: Readonly<Record<KeyCode, string>> = {
  BOOL: 'BOOL',
  INT64: 'INT64',
  FLOAT32: 'FLOAT32',
  FLOAT64: 'FLOAT64',
  NUMERIC: 'NUMERIC',
  STRING: 'STRING(MAX)',
  BYTES: 'BYTES(MAX)',
  DATE: 'DATE',
  TIMESTAMP: 'TIMESTAMP',
  UUID: 'UUID',
};
const day = fc.date({
  min: new Date('0001-01-01T00:00:00Z'),
  max: new Date('9999-12-31T00:00:00Z'),
  noInvalidDate: true,
});
const float = fc.oneof(
  fc.constantFrom('NaN', 'Infinity', '-Infinity', 0, 1.5, -1.5),
  fc.float({ noNaN: true, noDefaultInfinity: true }),
);

/** Values of each type as they travel. */
const parts: Readonly<Record<KeyCode, fc.Arbitrary<KeyPart>>> = {
  BOOL: fc.boolean(),
  INT64: fc
    .oneof(fc.integer({ min: -3, max: 3 }).map(BigInt), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))
    .map(String),
  FLOAT32: float,
  FLOAT64: float,
  NUMERIC: fc
    .tuple(fc.bigInt({ min: -(10n ** 28n), max: 10n ** 28n }), fc.integer({ min: 0, max: 999_999_999 }))
    .map(([whole, part]) => `${whole}.${String(part).padStart(9, '0')}`.replace(/\.?0+$/, '').replace(/^-?$/, '0')),
  STRING: fc.oneof(
    fc.constantFrom('', 'a', 'a\u0000', '\uffff', '\u{1f600}', 'ä'),
    fc.string({ unit: 'binary', maxLength: 6 }),
  ),
  BYTES: fc.uint8Array({ maxLength: 5 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  DATE: day.map((date) => date.toISOString().slice(0, 10)),
  TIMESTAMP: fc
    .tuple(day, fc.integer({ min: 0, max: 999_999_999 }))
    .map(([date, nanos]) =>
      `${date.toISOString().slice(0, 19)}.${String(nanos).padStart(9, '0')}`.replace(/\.?0+$/, '').concat('Z'),
    ),
  UUID: fc.uuid(),
};

interface KeyShape {
  readonly code: KeyCode;
  readonly descending: boolean;
}

const codes = Object.keys(typeTexts) as KeyCode[];
const shapes = fc.array(fc.record({ code: fc.constantFrom(...codes), descending: fc.boolean() }), {
  minLength: 1,
  maxLength: 3,
});
/** One table for each type and order, and some of several columns; the same in every run of one seed. */
const tables: readonly (readonly KeyShape[])[] = [
  ...codes.flatMap((code) => [[{ code, descending: false }], [{ code, descending: true }]]),
  ...fc.sample(shapes, { numRuns: 8, seed: 5 }),
];

let server: Awaited<ReturnType<typeof openSpannerServer>>;
let opened: TestDatabase;
let channel: SpannerChannel;

before(async () => {
  server = await openSpannerServer();
  const control = (await readFile('deploy/gcp/schema.sql', 'utf8')).replace(/--.*$/gm, '').split(';');
  const ddl = [
    ...control.map((text) => text.trim()).filter((text) => text !== ''),
    ...tables.map(createTable),
    ...nested,
  ];
  opened = await openTestDatabase(server.address, ddl);
  channel = openSpannerChannel(opened.name, opened.env);
});

after(async () => {
  channel.close();
  await opened.close();
  await server.close();
});

const nested = [
  'CREATE TABLE Lone (C STRING(MAX), V INT64) PRIMARY KEY (C DESC)',
  'CREATE TABLE Parents (P INT64 NOT NULL) PRIMARY KEY (P)',
  'CREATE TABLE Children (P INT64 NOT NULL, C STRING(MAX), V INT64) PRIMARY KEY (P, C DESC), INTERLEAVE IN PARENT Parents',
];

function createTable(shape: readonly KeyShape[], table: number): string {
  const columns = shape.map(({ code }, at) => `K${at} ${typeTexts[code]}`);
  const key = shape.map(({ descending }, at) => `K${at}${descending ? ' DESC' : ''}`);
  return `CREATE TABLE T${table} (${columns.join(', ')}, V INT64) PRIMARY KEY (${key.join(', ')})`;
}

function keysOf(shape: readonly KeyShape[]): fc.Arbitrary<KeyPart[]> {
  return fc.tuple(...shape.map(({ code }) => fc.option(parts[code], { freq: 12, nil: null })));
}

let plans = 0;

async function plan(
  table: string,
  shards: number,
  more: Partial<Feed> = {},
  tools: Partial<PlanTools> = {},
): Promise<Manifest> {
  const planned: Feed = {
    ...feed,
    table,
    shards,
    label: undefined,
    split: undefined,
    transforms: [{ tensor: 'v', column: 'V', kind: 'cast', as: 'int64', fillNull: undefined }],
    ...more,
  };
  plans += 1;
  const { manifest } = await planEpoch(
    plainDeclaration({ feeds: { delays: planned } }),
    'delays',
    { idempotencyKey: `p${plans}`, nowMs: 0 },
    {
      store: openEpochStore(opened.database),
      channel,
      pin: (wanted) => pinSnapshot(opened.database, wanted),
      publish: undefined,
      identity: 'planner@test',
      versions: versionsOf(process.versions),
      roomMs: 60_000,
      signal: new AbortController().signal,
      ...tools,
    },
  );
  return manifest;
}

async function readKeys({ plan, readTimestamp }: Manifest, range: KeyRange, afterKey?: Key): Promise<Key[]> {
  const keys: Key[] = [];
  const read = {
    table: plan.table,
    columns: plan.columns,
    keyLength: plan.key.length,
    range,
    readTimestamp,
    blockRows: 7,
    afterKey,
    query: queryOf(plan),
  };
  for await (const block of readRange(channel, read)) {
    for (let row = 0; row < block.rowCount; row += 1) keys.push(keyAt(block, plan.key.length, row));
  }
  return keys;
}

/** Every row in exactly one shard, the shards adjacent and in the table's order, and any row resumed after. */
async function assertCovered(manifest: Manifest, rows: number, label: string): Promise<number[]> {
  const { key } = manifest.plan;
  const ranges = shardRanges(manifest.plan);
  const all: Key[] = [];
  const sizes: number[] = [];
  for (const range of ranges) {
    const keys = await readKeys(manifest, range);
    for (const one of keys) {
      assert.equal(ranges.filter((other) => containsKey(key, other, one)).length, 1, `${label} ${JSON.stringify(one)}`);
      assert.ok(containsKey(key, range, one), `${label} ${JSON.stringify(one)}`);
    }
    all.push(...keys);
    sizes.push(keys.length);
  }
  assert.equal(all.length, rows, label);
  for (const [at, one] of all.entries()) {
    const next = all[at + 1];
    if (next)
      assert.ok(compareKeys(key, one, next) < 0, `${label}: ${JSON.stringify(one)} before ${JSON.stringify(next)}`);
  }
  const [whole] = [{ from: undefined, to: undefined }];
  for (const at of [Math.floor(all.length / 2), all.length - 1]) {
    if (all[at])
      assert.deepEqual(await readKeys(manifest, whole, all[at]), all.slice(at + 1), `${label} after row ${at}`);
  }
  return sizes;
}

/** As of a table that is not small: planned by looking at some keys, and by several passes at once. */
async function assertSampled(table: string, rows: number, label: string): Promise<void> {
  const lookRows = 8;
  const looked = await plan(table, 5, {}, { lookRows });
  // A table of BOOL keys is small whatever it is looked at for.
  assert.equal(looked.rowCountIsEstimate, rows < lookRows ? undefined : true, label);
  await assertCovered(looked, rows, `${label} by some keys`);
  const transforms: Feed['transforms'] = [
    { tensor: 'v', column: 'V', kind: 'normalise', method: 'mean-variance', fillNull: 'mean' },
  ];
  const [atOnce, apart] = [await plan(table, 5, { transforms }), await plan(table, 5, { transforms }, { lookRows })];
  assert.equal(apart.rowCount, rows);
  assert.equal(apart.rowCountIsEstimate, undefined);
  assert.deepEqual(apart.plan.transforms, atOnce.plan.transforms, `${label} fitted by several streams`);
  assert.deepEqual(apart.plan.cuts, atOnce.plan.cuts, label);
  await assertCovered(apart, rows, `${label} by several streams`);
}

test('planEpoch() puts every row into exactly one shard, for every key type, order and composition, NULLs included', async () => {
  for (const [table, shape] of tables.entries()) {
    const wire = JSON.stringify(shape);
    const rows =
      fc.sample(fc.array(keysOf(shape), { minLength: 25, maxLength: 40 }), { numRuns: 1, seed: table })[0] ?? [];
    const columns = shape.map((_, at) => `K${at}`);
    const inserted = rows.map((key, row) =>
      Object.fromEntries([
        ...key.map((part, at) => [columns[at], typeof part === 'number' ? Spanner.float(part) : part]),
        ['V', String(row % 2)],
      ]),
    );
    // A key that comes twice is one row.
    await opened.database.table(`T${table}`).upsert(inserted);
    const values = new Map(
      rows.map((key, row) => [JSON.stringify(key.map((part) => (Object.is(part, -0) ? 0 : part))), row % 2]),
    );
    await assertCovered(await plan(`T${table}`, 1 + (table % 6)), values.size, wire);
    // Each takes some hundred reads: of one order, and of all that have several columns.
    if (table % 2 === 1 || shape.length > 1) await assertSampled(`T${table}`, values.size, wire);
    // The laptop’s evaluator of GoogleSQL has no UUID to cast to.
    if (shape.some(({ code }) => code === 'UUID')) continue;
    const odd = [...values.values()].filter((value) => value === 1).length;
    await assertCovered(await plan(`T${table}`, 3, { where: 'V = 1 OR V > 5' }), odd, `${wire} where`);
    const key = shape.map(({ descending }, at) => ({ name: `K${at}`, descending }));
    const text = `SELECT * FROM T${table} WHERE V = 1 OR V > 5`;
    await assertCovered(await plan('query', 3, { sql: { text, key } }), odd, `${wire} sql`);
  }
});

test('planEpoch() cuts through a prefix that nine of ten rows share, and tables interleaved in others', async () => {
  await opened.database.table('Parents').insert([{ P: '1' }, { P: '7' }, { P: '9' }]);
  const children = Array.from({ length: 400 }, (_, at) => ({
    P: at % 10 === 0 ? (at % 20 === 0 ? '1' : '9') : '7',
    C: at === 5 ? null : `c${at}`,
    V: '1',
  }));
  await opened.database.table('Children').insert(children);
  const sizes = await assertCovered(await plan('Children', 8), 400, 'Children');
  assert.deepEqual(sizes, Array(8).fill(50));
});

test('planEpoch() plans an empty table and one row', async () => {
  assert.deepEqual(await assertCovered(await plan('Lone', 8), 0, 'empty'), [0]);
  await opened.database.table('Lone').insert({ C: null, V: '1' });
  assert.deepEqual(await assertCovered(await plan('Lone', 8), 1, 'one'), [1]);
});
