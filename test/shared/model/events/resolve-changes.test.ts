import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Pipeline } from '../../../../shared/model/config/declaration.ts';
import type { Cell } from '../../../../shared/model/events/cell.ts';
import type { TableMutation } from '../../../../shared/model/events/change.ts';
import type { CompiledPipeline } from '../../../../shared/model/events/compile-pipeline.ts';
import { resolveChanges } from '../../../../shared/model/events/resolve-changes.ts';
import { column, compiledFor, field, pipeline, record, table, targetOf } from './pipeline-fixture.ts';

const schema = table([column('Id', 'STRING(9)', { notNull: true }), column('A', 'INT64'), column('B', 'INT64')]);

type Row = Record<string, Cell>;
type Step = { key: string; value: { A?: number; B?: number } | null };

const step: fc.Arbitrary<Step> = fc.record({
  key: fc.constantFrom('x', 'y', 'z'),
  value: fc.option(
    fc.record({ A: fc.integer({ min: 0, max: 9 }), B: fc.integer({ min: 0, max: 9 }) }, { requiredKeys: [] }),
  ),
});

/** What Spanner does with mutations, one after the other. */
function apply(rows: Map<string, Row>, mutations: readonly TableMutation[]): Map<string, Row> {
  for (const mutation of mutations) {
    if (mutation.operation === 'delete') {
      for (const key of mutation.keys) rows.delete(String(key[0]));
      continue;
    }
    for (const cells of mutation.rows) {
      const written: Row = Object.fromEntries(mutation.columns.map((name, at) => [name, cells[at] ?? null]));
      const id = String(written.Id);
      const kept: Row = mutation.operation === 'replace' ? {} : (rows.get(id) ?? {});
      rows.set(id, { A: null, B: null, ...kept, ...written });
    }
  }
  return rows;
}

function mapped(compiled: CompiledPipeline, steps: readonly Step[]) {
  return steps.map(({ key, value }) => compiled.map(record(key, value === null ? null : JSON.stringify(value))).change);
}

for (const mode of ['upsert', 'replace'] as const) {
  test(`resolveChanges() leaves in mode ${mode} what the records one by one would leave`, () => {
    const compiled = compiledFor(pipeline({ mode }), schema);
    const start = new Map<string, Row>([['x', { Id: 'x', A: '100', B: '200' }]]);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const changes = mapped(compiled, steps);
        const together = resolveChanges(targetOf(compiled), changes, new Map());
        const oneByOne = changes.flatMap((change) => resolveChanges(targetOf(compiled), [change], new Map()).mutations);
        assert.deepEqual(apply(new Map(start), together.mutations), apply(new Map(start), oneByOne));
        assert.equal(together.rowCount, steps.length);
        const touched = new Set(steps.map(({ key }) => key)).size;
        const written = together.mutations.flatMap((m) => (m.operation === 'delete' ? m.keys : m.rows)).length;
        assert.equal(written, touched, 'each key is written once');
      }),
    );
  });
}

test('resolveChanges() lets a guarded row only grow, whatever the order', () => {
  const guarded: Pipeline = pipeline({ guard: 'A', tombstones: 'ignore' });
  const compiled = compiledFor(guarded, schema);
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1 }),
      fc.option(fc.nat(20)),
      (versions, held) => {
        const changes = mapped(
          compiled,
          versions.map((A) => ({ key: 'x', value: { A, B: A } })),
        );
        const stored = new Map(held === null ? [] : [['x', [String(held)]]]);
        const { mutations, rowCount } = resolveChanges(targetOf(compiled), changes, stored);
        const rows = apply(new Map(held === null ? [] : [['x', { A: String(held) }]]), mutations);
        assert.equal(rows.get('x')?.A, String(Math.max(...versions, held ?? 0)));
        const growths = versions.filter((version, at) => version > Math.max(held ?? -1, ...versions.slice(0, at)));
        assert.equal(rowCount, growths.length);
      },
    ),
  );
});

test('resolveChanges() adds up what aggregates count, on top of what is stored', () => {
  const totals = table([
    column('Id', 'STRING(9)', { notNull: true }),
    column('N', 'INT64', { notNull: true }),
    column('Total', 'INT64'),
    column('Least', 'INT64'),
  ]);
  const compiled = compiledFor(
    pipeline({
      mode: 'aggregate',
      columns: [],
      aggregate: {
        groupBy: [field('Id', 'id')],
        into: [
          { column: 'N', function: 'count', field: undefined, by: undefined },
          { column: 'Total', function: 'sum', field: 'v', by: undefined },
          { column: 'Least', function: 'min', field: 'v', by: undefined },
        ],
      },
    }),
    totals,
  );
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
      const changes = values.map((v) => compiled.map(record(null, JSON.stringify({ id: 'x', v }))).change);
      const { mutations } = resolveChanges(targetOf(compiled), changes, new Map([['x', ['10', '1000', null]]]));
      const [mutation] = mutations;
      assert.equal(mutation?.operation, 'upsert');
      const row = mutation?.operation === 'upsert' ? mutation.rows[0] : undefined;
      const sum = values.reduce((total, value) => total + BigInt(value), 1000n);
      assert.deepEqual(row, ['x', String(10 + values.length), String(sum), String(Math.min(...values))]);
    }),
  );
  const overflow = [`${2n ** 63n - 1n}`, '1', '-5'].map(
    (v) => compiled.map(record(null, `{"id":"x","v":${v}}`)).change,
  );
  const { dead, rowCount } = resolveChanges(targetOf(compiled), overflow, new Map());
  assert.deepEqual(
    dead.map(({ at, poison }) => [at, poison]),
    [[1, 'constraint']],
  );
  assert.equal(rowCount, 2);
});
