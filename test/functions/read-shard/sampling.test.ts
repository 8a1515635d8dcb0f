import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readSafetensors } from '../../../deploy/local/trainer/safetensors.ts';
import { planEpoch } from '../../../functions/plan-epoch/plan-epoch.ts';
import { readShard } from '../../../functions/read-shard/read-shard.ts';
import type { Feed } from '../../../shared/model/config/declaration.ts';
import { declaration, feed, flight, openFeedStage, rowCount } from './feed-stage.ts';

const sampled: Feed = {
  ...feed,
  split: { by: 'FlightId', evaluateShare: 0.1, testShare: 0.2 },
  weight: {
    kind: 'classes',
    weights: [
      [0, 0.5],
      [1, 2],
    ],
  },
  balance: [[0, 0.25]],
};

let stage: Awaited<ReturnType<typeof openFeedStage>>;

before(async () => {
  stage = await openFeedStage();
});

after(async () => {
  await stage.close();
});

function plan(key: string, given: Feed) {
  const tick = { idempotencyKey: key, nowMs: 0 };
  return planEpoch({ ...declaration, feeds: { delays: given } }, 'delays', tick, stage.planTools);
}

/** What the trainer got of an epoch that so many read at once: tensors and role of each batch, by its place. */
async function deliver(
  key: string,
  readers: number,
): Promise<Map<string, { role: string; values: Map<string, number[]> }>> {
  stage.trainer.forget();
  const { epoch, shards } = await plan(key, sampled);
  const waiting = [...shards];
  const work = async (_: unknown, reader: number): Promise<void> => {
    for (let shard = waiting.shift(); shard !== undefined; shard = waiting.shift()) {
      await readShard(epoch, shard, stage.readTools(`reader-${reader}`));
    }
  };
  await Promise.all(Array.from({ length: readers }, work));
  assert.equal(stage.trainer.ends.at(-1), 'end {}');
  return new Map(
    [...stage.trainer.batches].map(([place, body]) => {
      const { metadata, tensors } = readSafetensors(body);
      const values = new Map(
        [...tensors].map(([name, { dtype, bytes }]) => {
          const { buffer } = Uint8Array.from(bytes);
          return [
            name,
            [
              ...(dtype === 'F32'
                ? new Float32Array(buffer)
                : dtype === 'U8'
                  ? new Uint8Array(buffer)
                  : new Int32Array(buffer)),
            ],
          ];
        }),
      );
      return [place, { role: metadata.get('role') ?? '', values }];
    }),
  );
}

test('readShard() divides, weighs and balances rows by their key and the seed alone, however many readers there are', async () => {
  const batches = await deliver('alone', 1);
  const ends = [...stage.trainer.ends];
  const crowd = await deliver('crowd', 4);
  assert.deepEqual(new Map([...crowd].toSorted()), new Map([...batches].toSorted()));
  const ended = ends.filter((end) => end.startsWith('shards/')).map((end) => Number(/"rows":(\d+)/.exec(end)?.[1]));
  const found = [...batches.values()];
  assert.equal(
    ended.reduce((sum, rows) => sum + rows, 0),
    found.reduce((sum, { values }) => sum + (values.get('row')?.length ?? 0), 0),
  );
  for (const { values } of found) {
    const weights = values.get('label')?.map((label) => (label === 1 ? 2 : 0.5));
    assert.deepEqual(values.get('weight'), weights);
  }
  const part = 'ABS(MOD(FARM_FINGERPRINT(FlightId), 10000))';
  const kept = `(DelayMinutes > 15 OR ABS(MOD(FARM_FINGERPRINT(CONCAT('[7,"', FlightId, '"]')), 1000000)) < 250000)`;
  const wanted = {
    evaluate: `${part} < 1000`,
    test: `${part} BETWEEN 1000 AND 2999`,
    train: `${part} >= 3000 AND ${kept}`,
  };
  for (const [role, condition] of Object.entries(wanted)) {
    const [rows] = await stage.database.run({
      sql: `SELECT DistanceMiles AS n FROM Flights WHERE ${condition} ORDER BY n`,
      json: true,
    });
    const got = found.filter((batch) => batch.role === role).flatMap(({ values }) => values.get('row') ?? []);
    assert.deepEqual(
      got.toSorted((left, right) => left - right),
      (rows as unknown as { n: number }[]).map(({ n }) => n),
      role,
    );
  }
});

test('planEpoch() takes the fit of an earlier epoch over changed rows, with its digest, and names where it is from', async () => {
  const first = await plan('first', sampled);
  await stage.database.table('Flights').insert({ ...flight(1_000_000), FlightId: 'far', Origin: 'ZZZ' });
  const anew = await plan('anew', sampled);
  const pinned = await plan('pinned', { ...sampled, fitFrom: first.epoch });
  await stage.database.table('Flights').deleteRows([['far']]);
  assert.notEqual(anew.manifest.fit?.digest, first.manifest.fit?.digest);
  assert.deepEqual(pinned.manifest.fit, { digest: first.manifest.fit?.digest, from: first.epoch });
  assert.deepEqual(pinned.manifest.plan.transforms, first.manifest.plan.transforms);
  assert.deepEqual(
    [first, anew, pinned].map(({ manifest }) => manifest.rowCount),
    [rowCount, rowCount + 1, rowCount + 1],
  );
  assert.equal(anew.manifest.fit?.from, null);
});

test('planEpoch() refuses the fit of an epoch that is not there, or that made a tensor otherwise', async () => {
  const { epoch } = await plan('base', sampled);
  await assert.rejects(plan('unknown', { ...sampled, fitFrom: 'delays-never' }), { code: 'NOT_FOUND' });
  const other = sampled.transforms.map((transform) =>
    transform.kind === 'normalise' ? { ...transform, method: 'min-max' as const } : transform,
  );
  await assert.rejects(plan('otherwise', { ...sampled, transforms: other, fitFrom: epoch }), {
    code: 'TENSOR',
    message: /Tensor distance of column DistanceMiles: epoch delays-base made it otherwise/,
  });
  const more = [
    ...sampled.transforms,
    { tensor: 'v', column: 'Destination', kind: 'vocabulary', maxSize: 9, unknown: 1 } as const,
  ];
  await assert.rejects(plan('more', { ...sampled, transforms: more, fitFrom: epoch }), /has no such tensor/);
});
