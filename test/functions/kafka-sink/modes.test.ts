import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pipeline, Target } from '../../../shared/model/config/declaration.ts';
import { plainColumn, plainTarget, withTarget } from '../../shared/model/config/plain-pipeline.ts';
import { counts, flight, flights, from, type Ingest, openIngest } from './ingest-fixture.ts';

async function openWith(...tables: string[]): Promise<Ingest> {
  const ingest = await openIngest();
  await ingest.createTopic();
  if (tables.length > 0) {
    const [operation] = await ingest.database.updateSchema(tables);
    await operation.promise();
  }
  return ingest;
}

const when = (value: string): Target['when'] => ({
  by: { kind: 'field', path: 'op' },
  in: [value],
  matches: undefined,
});

test('runKafkaSink() sets the insert of a row that exists aside as a conflict, and the neighbours are rows', async () => {
  await using ingest = await openWith();
  const inserting = withTarget(flights, { mode: 'insert' });
  await ingest.produce([flight('a', 1), flight('b', 1)]);
  await ingest.sink(inserting);
  await ingest.produce([flight('c', 2), flight('b', 2), flight('c', 3), { key: 'a', value: null }, flight('a', 4)]);
  await ingest.sink(inserting);
  const rows = await ingest.query('SELECT FlightId, DelayMinutes FROM Flights ORDER BY FlightId');
  assert.deepEqual(
    rows.map(({ FlightId, DelayMinutes }) => [FlightId, Number(DelayMinutes)]),
    [
      ['a', 4],
      ['b', 1],
      ['c', 2],
    ],
  );
  const letters = await ingest.query('SELECT Class, RecordOffset FROM PenstockDeadLetters ORDER BY RecordOffset');
  assert.deepEqual(
    letters.map((letter) => [letter.Class, Number(letter.RecordOffset)]),
    [
      ['conflict', 3],
      ['conflict', 4],
    ],
  );
  const lineage = await ingest.query('SELECT FromOffset, DeadCount FROM PenstockLineage ORDER BY FromOffset');
  assert.equal(lineage.length, 2, 'a conflict costs no commit of its own');
});

test('runKafkaSink() skips updates of rows that do not exist where onMissing says so', async () => {
  await using ingest = await openWith();
  await ingest.produce([flight('a', 1)]);
  await ingest.sink(flights);
  await ingest.produce([flight('a', 2), flight('nobody', 2)]);
  await ingest.sink(withTarget(flights, { mode: 'update', onMissing: 'skip' }));
  const rows = await ingest.query('SELECT FlightId, DelayMinutes FROM Flights');
  assert.deepEqual(
    rows.map(({ FlightId, DelayMinutes }) => [FlightId, Number(DelayMinutes)]),
    [['a', 2]],
  );
  const [skipped] = await ingest.query('SELECT SUM(SkippedCount) AS n FROM PenstockLineage');
  assert.equal(Number(skipped?.n), 1);
});

test('runKafkaSink() with onPoison stop ends at a conflict, after everything before it is written', async () => {
  await using ingest = await openWith();
  const stopping: Pipeline = { ...withTarget(flights, { mode: 'insert' }), onPoison: 'stop' };
  await ingest.produce([flight('a'), flight('b'), flight('a'), flight('c')]);
  await assert.rejects(ingest.sink(stopping), { code: 'POISON_STOP', message: /flights\/0\/2, which is conflict/ });
  const rows = await ingest.query('SELECT FlightId FROM Flights ORDER BY FlightId');
  assert.deepEqual(
    rows.map(({ FlightId }) => FlightId),
    ['a', 'b'],
  );
  assert.deepEqual(await ingest.query('SELECT DeadLetterId FROM PenstockDeadLetters'), []);
});

const ORDERS = [
  'CREATE TABLE Orders (OrderId STRING(9) NOT NULL, Status STRING(9)) PRIMARY KEY (OrderId)',
  `CREATE TABLE Lines (OrderId STRING(9) NOT NULL, Line INT64 NOT NULL, Amount INT64)
     PRIMARY KEY (OrderId, Line), INTERLEAVE IN PARENT Orders ON DELETE CASCADE`,
  `CREATE TABLE Parts (OrderId STRING(9) NOT NULL, Line INT64 NOT NULL, Part STRING(9) NOT NULL)
     PRIMARY KEY (OrderId, Line, Part), INTERLEAVE IN PARENT Lines ON DELETE NO ACTION`,
];

const order = { table: 'Orders', columns: [from('OrderId', 'order')] };
const line = { table: 'Lines', columns: [from('OrderId', 'order'), from('Line', 'line')] };
const part = { table: 'Parts', columns: [from('OrderId', 'order'), from('Line', 'line'), from('Part', 'part')] };
const shop: Pipeline = {
  ...flights,
  name: 'shop',
  targets: [
    plainTarget({ ...part, when: when('part') }),
    plainTarget({ ...line, when: when('line') }),
    plainTarget({ ...order, when: when('order') }),
    plainTarget({ ...part, mode: 'delete', when: when('no part') }),
    plainTarget({ ...line, mode: 'delete', when: when('no line') }),
    plainTarget({ ...order, mode: 'delete', when: when('no order') }),
  ],
};

const event = (op: string, more: object): { key: string; value: string } => ({
  key: 'k',
  value: JSON.stringify({ op, order: 'o1', ...more }),
});

test('runKafkaSink() routes one topic into interleaved tables, parents before children, in one commit', async () => {
  await using ingest = await openWith(...ORDERS);
  await ingest.produce([
    event('part', { line: 1, part: 'bolt' }),
    event('line', { line: 1, Amount: 5 }),
    event('order', { Status: 'new' }),
    event('unheard of', {}),
  ]);
  await ingest.sink(shop);
  const [counted] =
    await ingest.query(`SELECT (SELECT COUNT(*) FROM Orders) AS orders, (SELECT COUNT(*) FROM Lines) AS lines,
    (SELECT COUNT(*) FROM Parts) AS parts, (SELECT COUNT(*) FROM PenstockLineage) AS commits`);
  assert.deepEqual(Object.values(counted ?? {}).map(Number), [1, 1, 1, 1]);
  const [letter] = await ingest.query('SELECT Class, Reason FROM PenstockDeadLetters');
  assert.deepEqual(letter, { Class: 'unmappable', Reason: 'No route of the pipeline takes the record' });

  // Deleted and made again in one batch: the old line goes with its order, its part first.
  await ingest.produce([
    event('no order', {}),
    event('no line', { line: 1 }),
    event('no part', { line: 1, part: 'bolt' }),
    event('order', { Status: 'again' }),
    event('line', { line: 2, Amount: 6 }),
  ]);
  await ingest.sink(shop);
  assert.deepEqual(await ingest.query('SELECT Status FROM Orders'), [{ Status: 'again' }]);
  const lines = await ingest.query('SELECT Line FROM Lines');
  assert.deepEqual(
    lines.map(({ Line }) => Number(Line)),
    [2],
  );
  const [commits] = await ingest.query('SELECT COUNT(*) AS n FROM PenstockLineage');
  assert.equal(Number(commits?.n), 2);
});

test('runKafkaSink() lets several pipelines read one topic, each once', async () => {
  await using ingest = await openWith();
  const deletions: Pipeline = {
    ...withTarget(flights, { mode: 'delete', columns: [plainColumn('FlightId', { kind: 'key' })] }),
    name: 'gone',
  };
  await ingest.produce([flight('a', 1), flight('b', 2, 'JFK'), flight('c', 3)]);
  await ingest.sink(flights, counts);
  await ingest.sink(flights, counts, {
    ...deletions,
    source: { kind: 'kafka', topics: ['flights'], pattern: undefined, group: 'gone' },
  });
  assert.deepEqual(await ingest.query('SELECT FlightId FROM Flights'), []);
  const rows = await ingest.query('SELECT Origin, FlightCount FROM Counts ORDER BY Origin');
  assert.deepEqual(
    rows.map(({ Origin, FlightCount }) => [Origin, Number(FlightCount)]),
    [
      ['JFK', 1],
      ['ORD', 2],
    ],
  );
});

test('runKafkaSink() remembers by which version a row was deleted, across batches and restarts', async () => {
  await using ingest = await openWith(
    'CREATE TABLE Guarded (Id STRING(9) NOT NULL, Seen TIMESTAMP NOT NULL, Name STRING(9)) PRIMARY KEY (Id)',
  );
  const guarded = { table: 'Guarded', guard: 'Seen', columns: [from('Id', 'id'), from('Seen', 'at')] };
  const pipeline: Pipeline = {
    ...flights,
    name: 'guarded',
    targets: [
      plainTarget({ ...guarded, mode: 'delete', when: when('gone') }),
      plainTarget({ ...guarded, mode: 'insert' }),
    ],
  };
  const send = async (...events: [op: string, second: number][]): Promise<void> => {
    const messages = events.map(([op, second]) => {
      const at = `2024-01-01T00:00:0${second}.50Z`;
      return { key: 'k', value: JSON.stringify({ op, id: 'x', at, Name: `${op}${second}` }) };
    });
    await ingest.produce(messages);
    await ingest.sink({ ...pipeline, batch: { ...pipeline.batch, maxRows: 1 } });
  };
  await send(['new', 3], ['gone', 5], ['new', 4], ['new', 5]);
  assert.deepEqual(await ingest.query('SELECT Name FROM Guarded'), [], 'what is older than the deletion stays out');
  await send(['gone', 4], ['new', 6], ['new', 6], ['new', 7]);
  assert.deepEqual(await ingest.query('SELECT Name FROM Guarded'), [{ Name: 'new6' }]);
  assert.deepEqual(await ingest.query('SELECT TableName FROM PenstockDeletedVersions'), []);
  const letters = await ingest.query('SELECT Class, RecordOffset FROM PenstockDeadLetters');
  const conflict = { Class: 'conflict', RecordOffset: 7 };
  assert.deepEqual(letters, [conflict], 'the same version again is no conflict, a newer one is');
  const [commits] = await ingest.query('SELECT COUNT(*) AS n, SUM(SkippedCount) AS skipped FROM PenstockLineage');
  assert.deepEqual([Number(commits?.n), Number(commits?.skipped)], [8, 4], 'each record is a commit of its own');
});
