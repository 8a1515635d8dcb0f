import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Target } from '../../../../../shared/model/config/declaration.ts';
import { compilePipeline } from '../../../../../shared/model/events/compile-pipeline.ts';
import type { RawRecord } from '../../../../../shared/model/events/records/raw-record.ts';
import type { TableSchema } from '../../../../../shared/model/events/tables/table-schema.ts';
import type { Cell } from '../../../../../shared/model/events/values/cell.ts';
import { plainColumn, plainPipeline, plainTarget } from '../../config/plain-pipeline.ts';
import { MemoryTables } from '../memory-tables.ts';
import { column, field, record, table } from '../pipeline-fixture.ts';
import { type Fate, runBatches } from '../run-batches.ts';

const schema = table([column('Id', 'STRING(9)', { notNull: true }), column('V', 'INT64'), column('A', 'INT64')]);
const deletion = { by: { kind: 'field', path: 'op' }, in: ['d'], matches: undefined } as const;

/** A write, a deletion with a version (`op: d`), or a tombstone. */
type Step = { key: string; value: { op?: 'd'; V?: number | null; A?: number } | null };
type Row = { V: number | null; A: number | null };
type Policy = Pick<Target, 'mode' | 'guard' | 'onExists' | 'onMissing'>;

const small = fc.integer({ min: 0, max: 6 });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    key: fc.constantFrom('x', 'x', 'y'),
    value: fc.option(
      fc.record({ op: fc.constantFrom('d' as const), V: fc.option(small), A: small }, { requiredKeys: [] }),
      { freq: 6 },
    ),
  }),
  { maxLength: 14 },
);
const cuts = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 10 });
const policies: fc.Arbitrary<Policy> = fc.record({
  mode: fc.constantFrom('insert', 'update', 'upsert', 'replace'),
  guard: fc.constantFrom(undefined, 'V'),
  onExists: fc.constantFrom('set-aside', 'skip'),
  onMissing: fc.constantFrom('set-aside', 'skip'),
});

function pipelineOf(policy: Policy) {
  const columns = [plainColumn('Id', { kind: 'key' })];
  const routes = [
    plainTarget({ when: deletion, mode: 'delete', guard: policy.guard, columns }),
    plainTarget({ ...policy, columns }),
  ];
  return compilePipeline({ ...plainPipeline({}), targets: routes }, new Map([['T', schema]]));
}

/** The modes in plain words, one record after the other. */
class Plain {
  readonly rows = new Map<string, Row>();
  private readonly deletedAt = new Map<string, number | null>();
  private readonly policy: Policy;

  constructor(policy: Policy) {
    this.policy = policy;
  }

  take({ key, value }: Step): Fate {
    const held = this.rows.get(key);
    if (value === null) {
      this.rows.delete(key);
      this.deletedAt.delete(key);
      return 'taken';
    }
    const version = value.V ?? null;
    if (this.policy.guard && !this.isNewer(key, version)) return 'skipped';
    if (value.op === 'd') {
      this.rows.delete(key);
      if (this.policy.guard) this.deletedAt.set(key, version);
      return 'taken';
    }
    const { mode, onExists, onMissing } = this.policy;
    if (mode === 'insert' && held) return onExists === 'skip' ? 'skipped' : 'conflict';
    if (mode === 'update' && !held) return onMissing === 'skip' ? 'skipped' : 'conflict';
    const base = mode === 'replace' || !held ? { V: null, A: null } : held;
    this.rows.set(key, { V: value.V === undefined ? base.V : value.V, A: value.A ?? base.A });
    this.deletedAt.delete(key);
    return 'taken';
  }

  private isNewer(key: string, version: number | null): boolean {
    const row = this.rows.get(key);
    if (!row && !this.deletedAt.has(key)) return true;
    const held = row ? row.V : (this.deletedAt.get(key) ?? null);
    return version !== null && (held === null || version > held);
  }
}

function recordOf({ key, value }: Step): RawRecord {
  return record(key, value === null ? null : JSON.stringify(value));
}

function rowsOf({ rows }: Plain): Record<string, Cell>[] {
  const text = (cell: number | null): Cell => (cell === null ? null : String(cell));
  const sorted = [...rows].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([Id, { V, A }]) => ({ Id, V: text(V), A: text(A) }));
}

test('resolveBatch() leaves in every mode, under every policy and cut into any batches, what the records one by one leave', async () => {
  await fc.assert(
    fc.asyncProperty(policies, steps, cuts, async (policy, list, lengths) => {
      const tables = new MemoryTables({ T: { key: ['Id'] } });
      const fates = await runBatches(pipelineOf(policy), tables, list.map(recordOf), lengths);
      const plain = new Plain(policy);
      assert.deepEqual(
        fates,
        list.map((step) => plain.take(step)),
      );
      const held = tables.contents().T?.map((row) => ({ V: null, A: null, ...row }));
      assert.deepEqual(held, rowsOf(plain));
    }),
    { numRuns: 1_500 },
  );
});

test('resolveBatch() makes the same of rows that come straight from their bytes, whatever the mode', async () => {
  const whole = table([column('Id', 'STRING(9)', { notNull: true }), column('V', 'INT64'), column('A', 'INT64')]);
  await fc.assert(
    fc.asyncProperty(policies, steps, cuts, async (policy, list, lengths) => {
      const columns = [plainColumn('Id', { kind: 'key' }), field('V', 'V'), field('A', 'A')];
      const unguarded = { ...policy, guard: undefined };
      const pipeline = plainPipeline({ ...unguarded, columns });
      const compiled = compilePipeline(pipeline, new Map([['T', whole]]));
      const tables = new MemoryTables({ T: { key: ['Id'] } });
      // A declared field that a record lacks is null; a row with every field is plain, and goes straight.
      const full = list.map(
        ({ key, value }): Step => ({ key, value: value && { V: value.V ?? null, A: value.A ?? 0 } }),
      );
      const mapped = compiled.mapAll(full.map(recordOf));
      assert.ok(mapped.every(({ change }) => change.kind === 'encoded' || change.kind === 'delete'));
      const fates = await runBatches(compiled, tables, full.map(recordOf), lengths);
      const plain = new Plain(unguarded);
      assert.deepEqual(
        fates,
        full.map((step) => plain.take(step)),
      );
      assert.deepEqual(tables.contents().T, rowsOf(plain));
    }),
    { numRuns: 300 },
  );
});

test('resolveBatch() keeps what straight rows leave as it is: columns that records carry or not, mixed in one batch', async () => {
  let mixed = 0;
  await fc.assert(
    fc.asyncProperty(policies, steps, cuts, async (policy, list, lengths) => {
      const unguarded = { ...policy, guard: undefined };
      const pipeline = plainPipeline({ ...unguarded, columns: [plainColumn('Id', { kind: 'key' })] });
      const compiled = compilePipeline(pipeline, new Map([['T', schema]]));
      const tables = new MemoryTables({ T: { key: ['Id'] } });
      const written = list.map(({ key, value }): Step => ({ key, value: value && omitOp(value) }));
      const changes = compiled.mapAll(written.map(recordOf)).map(({ change }) => change);
      assert.ok(changes.every(({ kind }) => kind === 'encoded' || kind === 'delete'));
      const shapes = new Set(changes.map((change) => (change.kind === 'encoded' ? change.shape : undefined)));
      if (shapes.size > 2) mixed++;
      const fates = await runBatches(compiled, tables, written.map(recordOf), lengths);
      const plain = new Plain(unguarded);
      assert.deepEqual(
        fates,
        written.map((step) => plain.take(step)),
      );
      const held = tables.contents().T?.map((row) => ({ V: null, A: null, ...row }));
      assert.deepEqual(held, rowsOf(plain));
    }),
    { numRuns: 600 },
  );
  assert.ok(mixed > 100, `${mixed} lists had rows of several shapes`);
});

function omitOp({ op: _, ...value }: NonNullable<Step['value']>): NonNullable<Step['value']> {
  return value;
}

test('resolveBatch() never lets a late older write bring back a row that was deleted by a newer version', async () => {
  const compiled = pipelineOf({ mode: 'upsert', guard: 'V', onExists: 'skip', onMissing: 'skip' });
  const late = [{ V: 3 }, { op: 'd', V: 5 }, { V: 4 }, { V: 5 }].map((value) => record('x', JSON.stringify(value)));
  for (const lengths of [[], [1, 1, 1], [2]]) {
    const tables = new MemoryTables({ T: { key: ['Id'] } });
    assert.deepEqual(await runBatches(compiled, tables, late, lengths), ['taken', 'taken', 'skipped', 'skipped']);
    assert.deepEqual(tables.contents().T, []);
    assert.equal(tables.contents().PenstockDeletedVersions?.length, 1);
    assert.deepEqual(await runBatches(compiled, tables, [record('x', '{"V":6}')], []), ['taken']);
    assert.deepEqual(tables.contents().PenstockDeletedVersions, [], 'what is there again is not remembered as deleted');
  }
});

test('resolveBatch() writes each key once', async () => {
  const compiled = pipelineOf({ mode: 'upsert', guard: undefined, onExists: 'skip', onMissing: 'skip' });
  let written = 0;
  const tables = new MemoryTables({ T: { key: ['Id'] } });
  const apply = tables.apply.bind(tables);
  tables.apply = (mutations) => {
    written += mutations.flatMap((one) => (one.operation === 'delete' ? one.keys : one.rows)).length;
    apply(mutations);
  };
  const records = Array.from({ length: 100 }, (_, at) => record(`k${at % 7}`, at % 3 ? `{"A":${at}}` : null));
  await runBatches(compiled, tables, records, []);
  assert.equal(written, 7);
});

const orders: TableSchema = {
  ...table([column('Id', 'STRING(9)', { notNull: true }), column('A', 'INT64')]),
  name: 'P',
};
const lines: TableSchema = {
  ...table(
    [column('Id', 'STRING(9)', { notNull: true }), column('N', 'INT64', { notNull: true }), column('A', 'INT64')],
    ['Id', 'N'],
  ),
  name: 'C',
  ancestors: ['P'],
};

type FamilyStep = { op: 'order' | 'line' | 'no order' | 'no line'; id: 'x' | 'y'; n: 1 | 2; A: number };

function familyOf(parents: Target['mode'], children: Policy) {
  const when = (value: string) => ({ by: { kind: 'field', path: 'op' }, in: [value], matches: undefined }) as const;
  const line = { table: 'C', columns: [field('Id', 'id'), field('N', 'n')] };
  const order = { table: 'P', columns: [field('Id', 'id')] };
  const targets = [
    plainTarget({ ...line, ...children, when: when('line') }),
    plainTarget({ ...order, mode: parents, when: when('order') }),
    plainTarget({ ...order, mode: 'delete', when: when('no order') }),
    plainTarget({ ...line, mode: 'delete', when: when('no line') }),
  ];
  return compilePipeline(
    { ...plainPipeline({}), targets },
    new Map([
      ['P', orders],
      ['C', lines],
    ]),
  );
}

test('resolveBatch() keeps interleaved tables as the records one by one would, whatever the batches', async () => {
  const step: fc.Arbitrary<FamilyStep> = fc.record({
    op: fc.constantFrom('order', 'order', 'line', 'line', 'no order', 'no line'),
    id: fc.constantFrom('x', 'x', 'x', 'y'),
    n: fc.constantFrom(1, 1, 1, 2),
    A: small,
  });
  const parents = fc.constantFrom<Target['mode']>('upsert', 'replace');
  await fc.assert(
    fc.asyncProperty(
      parents,
      policies,
      fc.array(step, { maxLength: 16 }),
      cuts,
      async (mode, policy, list, lengths) => {
        const compiled = familyOf(mode, { ...policy, guard: undefined });
        const alone = new MemoryTables({ P: { key: ['Id'] }, C: { key: ['Id', 'N'], parent: 'P' } });
        const together = new MemoryTables({ P: { key: ['Id'] }, C: { key: ['Id', 'N'], parent: 'P' } });
        const records: RawRecord[] = [];
        const fates: Fate[] = [];
        for (const one of list) {
          // A line without its order would be refused alone; in one batch with a later order it is not.
          if (one.op === 'line' && !alone.rows.get('P')?.has(JSON.stringify([one.id]))) continue;
          records.push(record(null, JSON.stringify(one)));
          fates.push(...(await runBatches(compiled, alone, records.slice(-1), [])));
        }
        assert.deepEqual(await runBatches(compiled, together, records, lengths), fates);
        assert.deepEqual(together.contents(), alone.contents());
      },
    ),
    { numRuns: 1_500 },
  );
});

test('resolveBatch() writes parents before children and deletes children before parents, in whatever order they come', async () => {
  const compiled = familyOf('upsert', { mode: 'upsert', guard: undefined, onExists: 'skip', onMissing: 'skip' });
  const tables = new MemoryTables({ P: { key: ['Id'] }, C: { key: ['Id', 'N'], parent: 'P' } });
  const order: string[] = [];
  const apply = tables.apply.bind(tables);
  tables.apply = (mutations) => {
    order.push(...mutations.map(({ operation, table }) => `${operation} ${table}`));
    apply(mutations);
  };
  const of = (op: string) => record(null, JSON.stringify({ op, id: 'x', n: 1, A: 1 }));
  await runBatches(compiled, tables, [of('line'), of('order')], []);
  await runBatches(compiled, tables, [of('no order'), of('no line')], []);
  await runBatches(compiled, tables, [of('order'), of('line'), of('no order'), of('order')], []);
  assert.deepEqual(order, [
    ...['upsert P', 'upsert C'],
    ...['delete C', 'delete P'],
    ...['upsert P', 'upsert C', 'delete P', 'upsert P'],
  ]);
});
