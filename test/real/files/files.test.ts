import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Spanner } from '@google-cloud/spanner';
import { deliveryOfFeed } from '../../../functions/read-shard/delivery-of-feed.ts';
import { readShard } from '../../../functions/read-shard/read-shard.ts';
import type { Feed } from '../../../shared/model/config/declaration.ts';
import type { BatchFormat } from '../../../shared/model/tensors/batch-format.ts';
import { declaration, feed, openFeedStage } from '../../functions/read-shard/feed-stage.ts';
import { runProgram } from '../clients/run-program.ts';
import { trainingPackages } from '../fetch/artifacts.ts';
import { pythonWith } from '../fetch/python-packages.ts';

const TABLE = `CREATE TABLE Things (
  Id INT64 NOT NULL, Seats INT64, Ratio FLOAT64, Half FLOAT32, Open BOOL, Name STRING(MAX), Day DATE, Moment TIMESTAMP,
  Vector ARRAY<FLOAT32>
) PRIMARY KEY (Id DESC)`;
const ROWS = 250;
const NAME_BYTES = 6;
const DAY_MS = 86_400_000;

const things: Feed = {
  ...feed,
  table: 'Things',
  transforms: [
    { tensor: 'id', column: 'Id', kind: 'cast', as: 'int64', fillNull: undefined },
    { tensor: 'seats', column: 'Seats', kind: 'cast', as: 'uint8', fillNull: undefined },
    { tensor: 'ratio', column: 'Ratio', kind: 'cast', as: 'float64', fillNull: undefined },
    { tensor: 'half', column: 'Half', kind: 'cast', as: 'float32', fillNull: undefined },
    { tensor: 'open', column: 'Open', kind: 'cast', as: 'bool', fillNull: undefined },
    { tensor: 'day', column: 'Day', kind: 'cast', as: 'int32', fillNull: undefined },
    { tensor: 'at', column: 'Moment', kind: 'cast', as: 'int64', fillNull: undefined },
    { tensor: 'name', column: 'Name', kind: 'text', length: NAME_BYTES, truncate: false, fillNull: undefined },
    {
      tensor: 'vector',
      column: 'Vector',
      kind: 'list',
      as: 'float32',
      length: 3,
      pad: undefined,
      truncate: false,
      fillNull: undefined,
    },
    { tensor: 'month', column: 'Day', kind: 'part', part: 'month', zone: 'UTC', oneHot: 12 },
  ],
  label: { column: 'Id', greaterThan: ROWS / 2 },
  split: { by: 'Id', evaluateShare: 0.2 },
  trainer: undefined,
};

const readers = { tfrecord: 'TensorFlow', arrow: 'pyarrow', safetensors: 'its own package' } as const;

let stage: Awaited<ReturnType<typeof openFeedStage>>;
let dir: string;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'files-'));
  stage = await openFeedStage();
  const [operation] = await stage.database.updateSchema([TABLE]);
  await operation.promise();
  await stage.database.table('Things').insert(Array.from({ length: ROWS }, (_, id) => thing(id)));
});

after(async () => {
  await stage.close();
  await rm(dir, { recursive: true });
});

function thing(id: number): Record<string, unknown> {
  const year = 1910 + (id % 90);
  // The official client is a second early for parts of one before 1970.
  const nanos = year < 1970 ? 0 : id;
  return {
    Id: Spanner.int(id),
    Seats: Spanner.int(id % 256),
    Ratio: Spanner.float(id / 7 - 3),
    Half: Spanner.float32(Math.fround(id / 3)),
    Open: id % 2 === 0,
    Name: ['SFO', 'né', '漢字', ''][id % 4],
    Day: new Date(Date.UTC(1960, 0, 1) + id * DAY_MS * 37).toISOString().slice(0, 10),
    Moment: `${year}-03-04T05:06:07.${String(nanos).padStart(9, '0')}Z`,
    Vector: [id, Math.fround(id / 10), -1].map((item) => Spanner.float32(item)),
  };
}

/** All rows as files of a format; the folder that an epoch's files lie in. */
async function written(format: BatchFormat): Promise<string> {
  const planned: Feed = { ...things, files: { url: pathToFileURL(dir).href, format } };
  const trainerOf = deliveryOfFeed(
    { ...declaration, feeds: { delays: planned } },
    {
      ids: { authorization: async () => 'Bearer t' },
      access: async () => ({ value: 't', expiresAtMs: 0, principal: 'reader@test' }),
      env: {},
    },
  );
  const { epoch, shards } = await stage.plan(format, planned);
  for (const shard of shards) await readShard(epoch, shard, { ...stage.readTools('reader'), trainerOf });
  return join(dir, epoch);
}

/** What the official client reads, made into what the feed's declaration says, by arithmetic of this file's own. */
async function expected(): Promise<unknown[]> {
  const [rows] = await stage.database
    .table('Things')
    .read({ columns: [...Object.keys(thing(0))], keySet: { all: true } });
  const things = rows.map((row) => {
    const cell = row.toJSON({ wrapNumbers: true, includeNameless: true });
    const name = Buffer.alloc(NAME_BYTES);
    const length = name.write(cell.Name);
    const day = Date.parse(`${cell.Day.toJSON()}T00:00:00Z`);
    const month = new Date(day).getUTCMonth();
    return {
      id: cell.Id.value,
      seats: cell.Seats.value,
      ratio: Number(cell.Ratio.value),
      half: Number(cell.Half.value),
      open: cell.Open ? '1' : '0',
      day: String(day / DAY_MS),
      at: cell.Moment.getFullTimeString(),
      name: [...name].map(String),
      name_length: String(length),
      vector: cell.Vector.map(({ value }: { value: number }) => Number(value)),
      month: Array.from({ length: 12 }, (_, at) => (at === month ? 1 : 0)),
      label: Number(cell.Id.value) > ROWS / 2 ? 1 : 0,
    };
  });
  return things.toSorted((left, right) => Number(left.id) - Number(right.id));
}

for (const format of ['tfrecord', 'arrow', 'safetensors'] as const) {
  test(`read by ${readers[format]}, ${format} files hold what the official client reads, every row once`, async () => {
    const folder = await written(format);
    const python = pythonWith(trainingPackages);
    const program = join(import.meta.dirname, 'python/read_files.py');
    const rows = await runProgram(python, [program, folder], {});
    assert.ok(Array.isArray(rows));
    const byId = rows.toSorted((left, right) => Number(left.id) - Number(right.id));
    assert.deepEqual(byId, await expected());
  });
}

test('Keras learns from TFRecord files, and judges by the rows that are set apart', async () => {
  const folder = await written('tfrecord');
  const program = join(import.meta.dirname, 'python/train_files.py');
  const { before: untrained, after: trained } = (await runProgram(
    pythonWith(trainingPackages),
    [program, folder],
    {},
  )) as {
    before: number;
    after: number;
  };
  assert.ok(trained < untrained / 2, `a loss of ${untrained} became ${trained}`);
});
