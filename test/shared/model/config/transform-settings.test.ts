import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '../../../../shared/base/errors.ts';
import type { Feed } from '../../../../shared/model/config/declaration.ts';
import { readDeclaration } from '../../../../shared/model/config/read-declaration.ts';

function readFeed(settings: string): Feed | undefined {
  const text = `spanner: { database: projects/p/instances/i/databases/d }\nfeeds:\n  f:\n    table: T\n${settings.replaceAll(/^/gm, '    ')}\n`;
  return readDeclaration({ file: 'f.yaml', text, env: {}, sections: ['spanner', 'feeds'] }).declaration.feeds.f;
}

function problems(settings: string): string[] {
  try {
    readFeed(settings);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map(({ path, message }) => `${path.replace('feeds.f.', '')} ${message}`);
  }
  assert.fail('the feed was taken');
}

const transform = (text: string): string => `transforms: { t: { column: C, ${text} } }`;
const made = (text: string): unknown => readFeed(transform(text))?.transforms[0];
const base = { tensor: 't', column: 'C' };

test('readDeclaration() reads every transform, with its defaults', () => {
  assert.deepEqual(made('as: int64, scale: 2'), { ...base, kind: 'cast', as: 'int64', fillNull: undefined, scale: 2 });
  assert.deepEqual(made('as: int64, unit: us'), {
    ...base,
    kind: 'cast',
    as: 'int64',
    fillNull: undefined,
    unit: 'us',
  });
  assert.deepEqual(made('as: string, length: 8, truncate: true, fillNull: none'), {
    ...base,
    kind: 'text',
    length: 8,
    truncate: true,
    fillNull: 'none',
  });
  assert.deepEqual(made('as: float32, length: 3, pad: 0'), {
    ...base,
    kind: 'list',
    as: 'float32',
    length: 3,
    pad: 0,
    truncate: false,
    fillNull: undefined,
  });
  assert.deepEqual(made('bucketize: { quantiles: 4 }, oneHot: true'), {
    ...base,
    kind: 'bucket',
    bounds: undefined,
    quantiles: 4,
    oneHot: true,
    fillNull: undefined,
  });
  assert.deepEqual(made('bucketize: { bounds: [0, 1.5] }, fillNull: 0'), {
    ...base,
    kind: 'bucket',
    bounds: [0, 1.5],
    quantiles: undefined,
    oneHot: false,
    fillNull: 0,
  });
  assert.deepEqual(made('vocabulary: { maxSize: 9, minCount: 2 }, oneHot: true'), {
    ...base,
    kind: 'vocabulary',
    maxSize: 9,
    unknown: 1,
    minCount: 2,
    oneHot: true,
  });
  assert.deepEqual(made('hash: { buckets: 100 }, cross: D'), {
    ...base,
    kind: 'hash',
    cross: 'D',
    buckets: 100,
    oneHot: false,
    fillNull: undefined,
  });
  assert.deepEqual(made('part: isoWeek, zone: Europe/Berlin, fillNull: 1'), {
    ...base,
    kind: 'part',
    part: 'isoWeek',
    zone: 'Europe/Berlin',
    oneHot: undefined,
    fillNull: 1,
  });
});

for (const [text, problem] of [
  ['as: int32, hash: { buckets: 5 }', /names as and hash/],
  ['zone: UTC', /says no way to make it/],
  ['as: int32, cross: D', /cross is given without `hash`/],
  ['as: int32, fillNull: 1.5', /fillNull is 1.5, which is no int32/],
  ['as: uint8, fillNull: 256', /fillNull is 256, which is no uint8/],
  ['as: float32, fillNull: 1.0e+39', /which is no float32/],
  ['as: float32, scale: 2', /scale is given for float32/],
  ['as: int32, unit: s', /unit is given for int32/],
  ['as: string', /length is missing/],
  ['as: string, length: 4, pad: 0', /pad is given for a string/],
  ['as: int32, pad: 0', /pad is given without `length`/],
  ['as: int64, length: 2, scale: 2', /scale is given for an array/],
  ['bucketize: { bounds: [1, 1] }', /bounds do not rise/],
  ['hash: { buckets: 5 }, fillNull: 3', /fillNull is the number 3/],
  ['hash: { buckets: 5000 }, oneHot: true', /would have 5000 places/],
  ['hash: { buckets: 5 }, oneHot: 5', /oneHot is 5/],
  ['part: hour, oneHot: true', /oneHot is true/],
  ['as: int32, fillNull: mean', /fillNull is "mean"/],
] as const) {
  test(`readDeclaration() refuses the transform { ${text} }`, () => {
    const found = problems(transform(text));
    assert.ok(
      found.some((line) => problem.test(line)),
      found.join('\n'),
    );
  });
}

test('readDeclaration() reads splits, weights, balance and where the fit is from', () => {
  const feed = readFeed(
    `${transform('as: int32')}\nlabel: { column: L }\nsplit: { by: K, evaluate: 10%, test: 5% }\nweight: { classes: { "0": 1, "1": 4 } }\nbalance: { "0": 12.5% }\nfitFrom: f-20261121`,
  );
  assert.deepEqual(feed?.split, { by: 'K', evaluateShare: 0.1, testShare: 0.05 });
  assert.deepEqual(feed?.weight, {
    kind: 'classes',
    weights: [
      [0, 1],
      [1, 4],
    ],
  });
  assert.deepEqual(feed?.balance, [[0, 0.125]]);
  assert.equal(feed?.fitFrom, 'f-20261121');
  assert.deepEqual(readFeed(`${transform('as: int32')}\nweight: { column: W }`)?.weight, {
    kind: 'column',
    column: 'W',
  });
});

test('readDeclaration() refuses classes without a label, a split without training rows, and names that are taken', () => {
  assert.match(
    problems(`${transform('as: int32')}\nbalance: { "0": 10% }`).join(),
    /balance goes by classes, but no label/,
  );
  assert.match(problems(`${transform('as: int32')}\nweight: { classes: balanced }`).join(), /weight goes by classes/);
  assert.match(
    problems(`${transform('as: int32')}\nsplit: { by: K, evaluate: 60%, test: 40% }`).join(),
    /no rows to train on/,
  );
  const taken = 'transforms: { t: { column: C, as: int32 }, t_mask: { column: C, as: int32 } }';
  assert.match(problems(taken).join(), /t_mask has the name of a tensor beside t/);
});
