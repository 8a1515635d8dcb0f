import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Sources } from '../../../../functions/dashboard/sources/sources.ts';
import { viewOverview } from '../../../../functions/dashboard/view/overview.ts';
import type { Overview, PipelineView } from '../../../../functions/dashboard/view/view-model.ts';
import type { Declaration } from '../../../../shared/model/config/declaration.ts';
import { exampleDeclaration, kafka, pubsub } from '../example-declaration.ts';
import {
  deadLetter,
  epochRow,
  kafkaSource,
  NOW,
  type PartitionExample,
  receiptSource,
  shardRows,
  sourcesOf,
  trainer,
} from '../example-sources.ts';

const declaration = exampleDeclaration({ flights: kafka('flights') });

function overviewOf(partitions: readonly PartitionExample[], parts: Partial<Sources> = {}): Overview {
  return viewOverview(sourcesOf(declaration, { pipelines: new Map([['flights', kafkaSource(partitions)]]), ...parts }));
}

function pipelineOf(partitions: readonly PartitionExample[], parts: Partial<Sources> = {}): PipelineView {
  const [pipeline] = overviewOf(partitions, parts).pipelines;
  assert.ok(pipeline);
  return pipeline;
}

test('viewOverview() says that nothing needs anyone and nothing is lost while all flows', () => {
  const overview = overviewOf(
    [
      {
        commits: [
          [0, 40],
          [40, 120],
        ],
      },
    ],
    {
      epochs: [
        epochRow('e1', 60_000, { state: 'delivered', rowCount: 4_000, batchCount: 4, deliveredAtMs: NOW - 50_000 }),
      ],
      shards: shardRows('done', 'done', 'done', 'done'),
      trainer: trainer({ state: 'trained' }),
    },
  );
  assert.equal(overview.verdict.title, 'Nothing needs you. Nothing is lost.');
  assert.equal(overview.verdict.health, 'ok');
  assert.equal(overview.verdict.detail, 'The pipeline is well, the epoch is delivered, the model is trained.');
  assert.deepEqual(overview.needs, []);
  assert.deepEqual(overview.firstSteps, []);
  assert.deepEqual(
    overview.stages.map(({ name, answer, health }) => [name, answer, health]),
    [
      ['Events', 'No', 'ok'],
      ['Spanner', '0 and 0', 'ok'],
      ['Snapshot', 'Delivered', 'ok'],
      ['Model', 'Trained', 'ok'],
    ],
  );
});

test('viewOverview() tells a newcomer what to do first', () => {
  const nothing = viewOverview(sourcesOf(exampleDeclaration({}, { feeds: {} })));
  assert.equal(nothing.verdict.title, 'Ready. Nothing has started yet.');
  assert.deepEqual(
    nothing.firstSteps.map(({ command }) => command),
    ['npx penstock check'],
  );
  const declared = viewOverview(sourcesOf(declaration));
  assert.equal(declared.verdict.detail, '1 pipeline and 1 feed are declared.');
  assert.deepEqual(
    declared.firstSteps.map(({ command }) => command),
    ['npx penstock check', 'npx penstock run kafka-sink', 'npx penstock epoch start delays --wait'],
  );
});

test('viewPipeline() counts lag in records from the checkpoint to the end of each partition, unread ones whole', () => {
  const pipeline = pipelineOf([
    { commits: [[0, 40]], end: 100 },
    { commits: [], low: 5, end: 25 },
  ]);
  assert.equal(pipeline.lagRecords, 80);
});

test('viewPipeline() counts lag in time from the last event, bounded by when nothing waited', () => {
  const behind: PartitionExample = {
    commits: [[0, 40]],
    end: 100,
    highWatermark: 100,
    lastEventAgoMs: 300_000,
    updatedAgoMs: 500,
  };
  assert.equal(pipelineOf([behind]).lagMs, 300_000);
  const history = new Map([['flights', [{ atMs: NOW - 4_000, lagRecords: 0 }]]]);
  assert.equal(pipelineOf([behind], { lagHistory: history }).lagMs, 4_000);
  const justArrived: PartitionExample = { ...behind, highWatermark: 40, updatedAgoMs: 9_000 };
  assert.equal(pipelineOf([justArrived]).lagMs, 9_000);
  assert.equal(pipelineOf([{ commits: [[0, 40]], lastEventAgoMs: 300_000 }]).lagMs, 0);
  const neverTaken: PartitionExample = { commits: [], end: 60, lowAgoMs: 250_000 };
  assert.equal(pipelineOf([justArrived, neverTaken]).lagMs, 250_000, 'the oldest record of its log waits');
});

test('viewPipeline() names each state by its cause', () => {
  const growing = new Map([['flights', [{ atMs: NOW - 60_000, lagRecords: 1_000 }]]]);
  const behind: PartitionExample = { commits: [[0, 40]], end: 5_000, lastEventAgoMs: 40_000 };
  const states = [
    pipelineOf([{ commits: [[0, 40]] }]),
    pipelineOf([{ commits: [[0, 40, 41 * 60_000]] }]),
    pipelineOf([behind]),
    pipelineOf([behind], { lagHistory: growing }),
    pipelineOf([{ commits: [[0, 40, 240_000]], end: 90, lastEventAgoMs: 240_000 }]),
    pipelineOf([{ commits: [], end: 90 }]),
    pipelineOf([{ commits: [] }]),
  ].map(({ state, health, stateText }) => [state, health, stateText]);
  assert.deepEqual(states, [
    ['flowing', 'ok', 'Flowing'],
    ['idle', 'idle', 'Idle for 41 m'],
    ['catching-up', 'ok', 'Catching up'],
    ['falling-behind', 'warn', 'Falling behind'],
    ['stalled', 'warn', 'Stalled for 4 m'],
    ['not-started', 'warn', 'Not started'],
    ['idle', 'idle', 'Nothing yet'],
  ]);
});

test('viewOverview() finds every record that no commit covers, wherever the break is', () => {
  const cases: [PartitionExample, string, string][] = [
    [
      {
        commits: [
          [0, 40],
          [45, 120],
        ],
      },
      '5',
      '0',
    ],
    [
      {
        commits: [
          [0, 40],
          [30, 120],
        ],
      },
      '0',
      '10',
    ],
    [{ commits: [[0, 40]], next: 50, end: 50 }, '10', '0'],
    [{ commits: [[0, 40]], next: 30, end: 50 }, '0', '10'],
    [{ commits: [[0, 40]], low: 70, end: 90 }, '30', '0'],
  ];
  for (const [example, lost, doubled] of cases) {
    const overview = overviewOf([example]);
    const [pipeline] = overview.pipelines;
    assert.deepEqual([pipeline?.lost, pipeline?.doubled, pipeline?.health], [lost, doubled, 'bad']);
    assert.equal(overview.needs[0]?.health, 'bad');
    assert.equal(overview.stages[1]?.health, 'bad');
    assert.doesNotMatch(overview.verdict.title, /Nothing is lost/);
  }
  assert.equal(
    overviewOf([
      {
        commits: [
          [0, 40],
          [45, 120],
        ],
      },
    ]).verdict.title,
    'One thing needs you. 5 records are lost.',
  );
});

test('viewOverview() never calls anything lost or doubled while commits and checkpoint join', () => {
  const joined = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(fc.array(joined, { minLength: 1, maxLength: 4 }), fc.nat(1_000), (partitions, waiting) => {
      const examples = partitions.map((lengths) => {
        let at = 0;
        const commits = lengths.map((length) => {
          at += length;
          return [at - length, at] as const;
        });
        return { commits, end: at + waiting };
      });
      const overview = overviewOf(examples);
      assert.equal(overview.pipelines[0]?.lost, '0');
      assert.equal(overview.pipelines[0]?.doubled, '0');
      assert.equal(overview.pipelines[0]?.lagRecords, waiting * partitions.length);
      assert.match(overview.verdict.title, /Nothing is lost\.$/);
    }),
  );
});

test('viewOverview() says that the lag is not known while Kafka does not answer, and asks for a look', () => {
  const source = kafkaSource([{ commits: [[0, 40]] }], { ends: false });
  const overview = viewOverview(sourcesOf(declaration, { pipelines: new Map([['flights', source]]) }));
  assert.deepEqual([overview.pipelines[0]?.state, overview.pipelines[0]?.lagRecords], ['unknown', null]);
  assert.equal(overview.stages[0]?.answer, 'Not known');
  assert.equal(overview.needs[0]?.title, 'Kafka does not answer');
});

test('viewOverview() counts receipts of a Pub/Sub pipeline, and claims nothing of its backlog', () => {
  const pushed = exampleDeclaration({ airports: pubsub('airports') });
  const view = (source: ReturnType<typeof receiptSource>) =>
    viewOverview(sourcesOf(pushed, { pipelines: new Map([['airports', source]]) })).pipelines[0];
  const flowing = view(receiptSource([1_000, 2_000, 70_000]));
  assert.deepEqual([flowing?.state, flowing?.lagRecords, flowing?.lagMs], ['flowing', null, null]);
  assert.equal(
    flowing?.rowsByMinute.reduce((sum, rows) => sum + rows, 0),
    3,
  );
  assert.equal(view(receiptSource([41 * 60_000]))?.stateText, 'Idle for 41 m');
  assert.equal(view(receiptSource([]))?.stateText, 'Nothing yet');
  assert.equal(view(receiptSource([1_000], true))?.rowsPerSecond, null);
});

test('viewOverview() asks for a look at dead letters that wait, not at those that were redriven', () => {
  const deadLetters = [deadLetter('a', 3_000), deadLetter('b', 1_000), deadLetter('c', 2_000, { redriven: true })];
  const source = kafkaSource([{ commits: [[0, 40]] }], { deadLetters });
  const overview = viewOverview(sourcesOf(declaration, { pipelines: new Map([['flights', source]]) }));
  assert.deepEqual([overview.deadLetters.total, overview.pipelines[0]?.setAside], [2, 2]);
  assert.deepEqual(
    overview.deadLetters.newest.map(({ id }) => id),
    ['b', 'a'],
  );
  assert.equal(overview.pipelines[0]?.state, 'setting-aside');
  assert.deepEqual(
    [overview.needs[0]?.title, overview.needs[0]?.command],
    ['2 records set aside', 'npx penstock dead-letters list'],
  );
  assert.equal(overview.verdict.title, 'One thing needs you. Nothing is lost.');
});

test('viewEpoch() counts shards by state, progress and what remains', () => {
  const overview = overviewOf([], {
    epochs: [epochRow('e1', 60_000)],
    shards: shardRows('done', 'done', 'reading', 'waiting'),
  });
  const { epoch } = overview;
  assert.deepEqual(epoch?.shards, { waiting: 1, reading: 1, done: 2, failed: 0 });
  assert.deepEqual([epoch?.share, epoch?.rowsDelivered, epoch?.remainingMs], [0.5, 2_000, 60_000]);
  assert.deepEqual(epoch?.contains, [{ pipeline: 'flights', topic: 'flights', partition: 0, nextOffset: '120' }]);
  assert.equal(overview.stages[2]?.answer, '1 m left');
});

test('viewEpoch() tells pace and time left of the shards that are read, the slowest first, and of no others', () => {
  const [done, quick, slow, waiting] = shardRows('done', 'reading', 'reading', 'waiting');
  assert.ok(done && quick && slow && waiting);
  const shards = [done, { ...quick, rowCount: 500, batchCount: 5 }, { ...slow, rowCount: 100, batchCount: 1 }, waiting];
  const { epoch } = overviewOf([], { epochs: [epochRow('e1', 60_000, { outline: { rowCount: 4_000 } })], shards });
  // Each has 20 s behind it and about 1,000 rows in all.
  assert.deepEqual(epoch?.reading, [
    { shard: 2, rows: 100, batches: 1, rowsPerSecond: 5, leftMs: 180_000, share: 0.1 },
    { shard: 1, rows: 500, batches: 5, rowsPerSecond: 25, leftMs: 20_000, share: 0.5 },
  ]);
});

test('viewEpoch() reads outlines and shard states that it does not know as nothing known', () => {
  for (const outline of [null, [], 7, { checkpoints: 'x' }, { checkpoints: [7, null] }]) {
    const overview = overviewOf([], { epochs: [epochRow('e1', 60_000, { outline })], shards: shardRows('mystery') });
    assert.deepEqual(overview.epoch?.contains, []);
    assert.equal(overview.epoch?.shards.waiting, 1);
  }
});

test('viewOverview() shows no reason that may quote a sensitive column, wherever reasons stand', () => {
  const { delays } = declaration.feeds;
  assert.ok(delays);
  const feeds = { delays: { ...delays, label: { column: 'Age', greaterThan: 5 } } };
  const access = { policies: './policies', sensitive: { Flights: ['Age'] }, issuers: [] };
  const guarded = { ...declaration, feeds, access };
  const error = 'Tensor age of column Age in row ["Lovelace"]: Lovelace is no number';
  const shards = shardRows('done', 'failed').map((shard) => ({ ...shard, error }));
  const epochs = [
    epochRow('e2', 60_000, { state: 'failed', error }),
    epochRow('e1', 90_000, { state: 'failed', error }),
  ];
  const seen = (of: Declaration) => JSON.stringify(viewOverview(sourcesOf(of, { epochs, shards })));
  assert.doesNotMatch(seen(guarded), /Lovelace/);
  assert.match(seen(guarded), /Shard 1: \(masked\)/);
  assert.match(seen({ ...guarded, access: { ...access, sensitive: { Flights: ['Other'] } } }), /Lovelace/);
});

test('viewOverview() raises failed shards, failed and late epochs with the command to run', () => {
  const failed = overviewOf([], { epochs: [epochRow('e1', 60_000)], shards: shardRows('done', 'failed') });
  assert.deepEqual(failed.needs.map(({ title, command }) => [title, command])[0], [
    '1 shard of epoch e1 failed',
    'npx penstock epoch show e1',
  ]);
  assert.match(failed.needs[0]?.detail ?? '', /Shard 1: The trainer answered 500/);
  const late = overviewOf([], { epochs: [epochRow('e1', 90_000_000, { state: 'delivered' })], trainer: trainer() });
  assert.deepEqual(
    late.needs.map(({ title, command }) => [title, command]),
    [['The epoch of delays is 1 h late', 'npx penstock epoch start delays']],
  );
  assert.equal(late.stages[2]?.answer, '1 h late');
  const whole = overviewOf([], {
    epochs: [epochRow('e2', 9_000, { state: 'failed', error: 'Read timestamp expired' })],
  });
  assert.equal(whole.needs[0]?.detail, 'Read timestamp expired');
});

test('viewOverview() raises a failed training, and a silent trainer only while an epoch waits for it', () => {
  const epochs = [epochRow('e1', 60_000)];
  const failed = overviewOf([], { epochs, trainer: trainer({ state: 'failed', error: 'Loss is NaN' }) });
  assert.deepEqual([failed.needs[0]?.title, failed.needs[0]?.detail], ['The training failed', 'Loss is NaN']);
  assert.equal(overviewOf([], { epochs }).needs[0]?.title, 'The trainer does not answer');
  const delivered = [epochRow('e1', 60_000, { state: 'delivered' })];
  assert.deepEqual(overviewOf([], { epochs: delivered }).needs, []);
});

test('viewOverview() lists what is worst first', () => {
  const two = exampleDeclaration({ calm: kafka('flights'), broken: kafka('flights') });
  const pipelines = new Map([
    ['calm', kafkaSource([{ commits: [[0, 40]] }])],
    [
      'broken',
      kafkaSource(
        [
          {
            commits: [
              [0, 40],
              [41, 50],
            ],
          },
        ],
        { deadLetters: [deadLetter('a', 1_000)] },
      ),
    ],
  ]);
  const overview = viewOverview(sourcesOf(two, { pipelines }));
  assert.deepEqual(
    overview.pipelines.map(({ name }) => name),
    ['broken', 'calm'],
  );
  assert.deepEqual(
    overview.needs.map(({ health }) => health),
    ['bad', 'warn'],
  );
  assert.equal(overview.verdict.health, 'bad');
});
