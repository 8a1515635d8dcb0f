import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Aggregate } from '../../../../../shared/model/config/declaration.ts';
import { compilePipeline } from '../../../../../shared/model/events/compile-pipeline.ts';
import type { Cell } from '../../../../../shared/model/events/values/cell.ts';
import { plainColumn, plainPipeline, plainTarget } from '../../config/plain-pipeline.ts';
import { MemoryTables } from '../memory-tables.ts';
import { column, field, record, table } from '../pipeline-fixture.ts';
import { runBatches } from '../run-batches.ts';

const schema = table(
  [
    column('Id', 'STRING(9)', { notNull: true }),
    column('Minute', 'TIMESTAMP', { notNull: true }),
    column('N', 'INT64', { notNull: true }),
    column('Total', 'INT64'),
    column('Sum', 'NUMERIC', { notNull: true }),
    column('Mass', 'FLOAT64'),
    column('Least', 'FLOAT64'),
    column('Most', 'FLOAT64'),
    column('Latest', 'STRING(9)'),
    column('Other', 'INT64'),
    column('LatestAt', 'INT64'),
    column('Earliest', 'STRING(9)'),
    column('EarliestAt', 'INT64'),
  ],
  ['Id', 'Minute'],
);

type Into = Aggregate['into'][number];
const into = (name: string, kind: Into['function'], path?: string, by?: Into['by']): Into => ({
  column: name,
  function: kind,
  field: path,
  by,
});

const groupBy = [field('Id', 'id'), plainColumn('Minute', { kind: 'field', path: 'at' }, { windowMs: 60_000 })];
const aggregate: Aggregate = {
  groupBy,
  into: [
    into('N', 'count'),
    into('Total', 'sum', 'v'),
    into('Sum', 'sum', 'v'),
    into('Mass', 'sum', 'x'),
    into('Least', 'min', 'x'),
    into('Most', 'max', 'x'),
    into('Latest', 'last', 'name', { column: 'LatestAt', field: 'version' }),
    into('Other', 'last', 'v', { column: 'LatestAt', field: 'version' }),
    into('Earliest', 'first', 'name', { column: 'EarliestAt', field: 'version' }),
  ],
};

interface Event {
  readonly id: string;
  readonly at: number;
  readonly v: number | null;
  readonly x: number | 'NaN' | 'Infinity' | null;
  readonly name: string | null;
  readonly version: number | null;
}

const events: fc.Arbitrary<Event[]> = fc.array(
  fc.record({
    id: fc.constantFrom('a', 'b'),
    at: fc.integer({ min: -90_000, max: 150_000 }),
    v: fc.option(fc.integer()),
    x: fc.option(
      fc.oneof({ weight: 6, arbitrary: fc.integer().map((n) => n / 8) }, fc.constantFrom('NaN', 'Infinity')),
    ),
    name: fc.option(fc.constantFrom('p', 'q', 'r')),
    version: fc.option(fc.integer({ min: 0, max: 5 })),
  }),
  { maxLength: 24 },
);
const cuts = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 10 });

const textOf = (event: Event): string => JSON.stringify({ ...event, at: new Date(event.at).toISOString() });
const int = (value: number | bigint | null): Cell => (value === null ? null : String(value));
const float = (value: number | null): Cell => (value === null || Number.isFinite(value) ? value : String(value));

/** The group's row of all its events at once, in plain arithmetic. */
function groupOf(all: readonly Event[]): Record<string, Cell> {
  const vs = all.flatMap(({ v }) => (v === null ? [] : [v]));
  const xs = all.flatMap(({ x }) => (x === null ? [] : [Number(x)]));
  const versioned = all.filter(({ version }) => version !== null);
  const newest = Math.max(...versioned.map(({ version }) => version ?? 0));
  const oldest = Math.min(...versioned.map(({ version }) => version ?? 0));
  const last = versioned.find(({ version }) => version === newest);
  const first = versioned.find(({ version }) => version === oldest);
  const total = vs.reduce((sum, v) => sum + BigInt(v), 0n);
  return {
    N: int(all.length),
    Total: vs.length === 0 ? null : int(total),
    Sum: int(total),
    Mass: xs.length === 0 ? null : float(xs.reduce((sum, x) => sum + x, 0)),
    Least: xs.length === 0 ? null : float(Math.min(...xs)),
    Most: xs.length === 0 ? null : float(Math.max(...xs)),
    Latest: last?.name ?? null,
    Other: int(last?.v ?? null),
    LatestAt: int(last?.version ?? null),
    Earliest: first?.name ?? null,
    EarliestAt: int(first?.version ?? null),
  };
}

function plainGroups(all: readonly Event[]): Record<string, Cell>[] {
  const minute = ({ at }: Event): string =>
    new Date(at - (((at % 60_000) + 60_000) % 60_000)).toISOString().replace('.000', '');
  const groups = Map.groupBy(all, (event) => JSON.stringify([event.id, minute(event)]));
  return [...groups.keys()].sort().map((key) => {
    const [Id = '', Minute = '']: string[] = JSON.parse(key);
    return { Id, Minute, ...groupOf(groups.get(key) ?? []) };
  });
}

test('mode aggregate holds, after any batches and repetitions, what one pass over all records holds', async () => {
  const pipeline = { ...plainPipeline({}), targets: [plainTarget({ mode: 'aggregate', aggregate })] };
  const compiled = compilePipeline(pipeline, new Map([['T', schema]]));
  await fc.assert(
    fc.asyncProperty(events, cuts, async (list, lengths) => {
      const tables = new MemoryTables({ T: { key: ['Id', 'Minute'] } });
      const fates = await runBatches(
        compiled,
        tables,
        list.map((event) => record(null, textOf(event))),
        lengths,
      );
      assert.ok(fates.every((fate) => fate === 'taken'));
      assert.deepEqual(tables.contents().T, plainGroups(list));
    }),
    { numRuns: 500 },
  );
});

test('mode aggregate sets aside what would leave the column’s range, and counts it nowhere', async () => {
  const pipeline = { ...plainPipeline({}), targets: [plainTarget({ mode: 'aggregate', aggregate })] };
  const compiled = compilePipeline(pipeline, new Map([['T', schema]]));
  const of = (v: string, x: string) =>
    record(null, `{"id":"a","at":"2024-01-01T00:00:00Z","v":${v},"x":${x},"name":"p","version":1}`);
  const most = String(2n ** 63n - 1n);
  const records = [of(most, '1e308'), of('1', '1'), of('-5', '1e308'), of('-5', '"Infinity"'), of('0', '"-Infinity"')];
  for (const lengths of [[], [1, 1, 1, 1], [2]]) {
    const tables = new MemoryTables({ T: { key: ['Id', 'Minute'] } });
    const fates = await runBatches(compiled, tables, records, lengths);
    assert.deepEqual(fates, ['taken', 'constraint', 'constraint', 'taken', 'taken']);
    const [row] = tables.contents().T ?? [];
    assert.deepEqual([row?.N, row?.Total, row?.Mass], ['3', String(2n ** 63n - 6n), 'NaN']);
  }
});

test('mode aggregate counts the records of several routes in one row, and begins again where a route deletes it', async () => {
  const counts = table([
    column('Id', 'STRING(9)', { notNull: true }),
    column('Sold', 'INT64', { notNull: true }),
    column('Returned', 'INT64', { notNull: true }),
    column('Events', 'INT64', { notNull: true }),
  ]);
  const when = (value: string) => ({ by: { kind: 'field', path: 'op' }, in: [value], matches: undefined }) as const;
  const key = [field('Id', 'id')];
  const counting = (name: string): Aggregate => ({
    groupBy: key,
    into: [into(name, 'sum', 'n'), into('Events', 'count')],
  });
  const targets = [
    plainTarget({ mode: 'aggregate', when: when('sale'), aggregate: counting('Sold') }),
    plainTarget({ mode: 'aggregate', when: when('return'), aggregate: counting('Returned') }),
    plainTarget({ mode: 'delete', when: when('reset'), columns: key }),
  ];
  const compiled = compilePipeline({ ...plainPipeline({}), targets }, new Map([['T', counts]]));
  const of = (op: string, n = 0) => record(null, JSON.stringify({ id: 'x', op, n }));
  const records = [of('sale', 9), of('reset'), of('sale', 3), of('return', 1), of('sale', 2)];
  for (const lengths of [[], [1, 1, 1, 1], [2], [3]]) {
    const tables = new MemoryTables({ T: { key: ['Id'] } });
    await runBatches(compiled, tables, records, lengths);
    assert.deepEqual(tables.contents().T, [{ Id: 'x', Sold: '5', Returned: '1', Events: '3' }]);
  }
});
