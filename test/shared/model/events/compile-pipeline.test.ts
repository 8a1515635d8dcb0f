import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { deadLetterMutation, partCountOf } from '../../../../shared/model/events/records/dead-letter.ts';
import { prefixLength } from '../../../../shared/model/events/resolve/commit-cost.ts';
import { checkPipeline } from '../../../../shared/model/events/tables/check-pipeline.ts';
import { withTarget } from '../config/plain-pipeline.ts';
import { column, compiledFor, field, pipeline, record, table, targetOf } from './pipeline-fixture.ts';

const schema = table([
  column('Id', 'STRING(MAX)', { notNull: true }),
  column('Count', 'INT64'),
  column('City', 'STRING(9)'),
  column('Seen', 'TIMESTAMP', { notNull: true, allowCommitTimestamp: true }),
]);

test('compilePipeline() never throws for a record, whatever it holds', () => {
  const compiled = compiledFor(pipeline(), schema);
  const bytes = fc.option(
    fc.oneof(
      fc.uint8Array(),
      fc.json().map((text) => new TextEncoder().encode(text)),
    ),
  );
  fc.assert(
    fc.property(bytes, bytes, (key, value) => {
      const raw = record(null, null);
      const { change } = compiled.map({ ...raw, key: key && Buffer.from(key), value: value && Buffer.from(value) });
      assert.ok(['write', 'delete', 'poison'].includes(change.kind));
    }),
  );
  const { change: deep } = compiled.map(record('k', `{"City":${'['.repeat(200_000)}${']'.repeat(200_000)}}`));
  assert.equal(deep.kind, 'poison');
});

test('compilePipeline() takes left-out columns from the field of the same name, and leaves what a record lacks', () => {
  const columns = [...(pipeline().targets[0]?.columns ?? []), field('City', 'place.city')];
  const compiled = compiledFor(withTarget(pipeline(), { columns }), schema);
  const { change } = compiled.map(record('k', '{"place":{"city":"Ulm"},"unknown":1,"__proto__":{"Count":1}}'));
  assert.equal(change.kind, 'write');
  const row = change.kind === 'write' ? change.row : [];
  assert.deepEqual(
    targetOf(compiled).columns.map(({ name }, at) => [name, row[at]]),
    [
      ['Id', 'k'],
      ['City', 'Ulm'],
      ['Count', undefined],
      ['Seen', 'spanner.commit_timestamp()'],
    ],
  );
});

test('compilePipeline() calls a key over 8 KiB too large', () => {
  const { change } = compiledFor(pipeline(), schema).map(record('k'.repeat(8_193), '{}'));
  assert.equal(change.kind === 'poison' && change.poison, 'too-large');
});

test('prefixLength() cuts records into prefixes within every limit, and loses none', () => {
  const compiled = compiledFor(pipeline({ pipeline: { batch: { maxRows: 7, maxBytes: 2_000, lingerMs: 1 } } }), schema);
  fc.assert(
    fc.property(fc.array(fc.nat(3_000)), (sizes) => {
      const mapped = sizes.map((size, at) => {
        const raw = record(`k${at}`, JSON.stringify({ City: 'x'.repeat(size % 9), padding: 'y'.repeat(size) }));
        return compiled.map(raw);
      });
      let at = 0;
      while (at < mapped.length) {
        const count = prefixLength(compiled, mapped, at);
        assert.ok(count >= 1 && count <= 7);
        const bytes = mapped.slice(at, at + count).reduce((sum, one) => sum + (one.record.value?.length ?? 0), 0);
        assert.ok(count === 1 || bytes <= 2_000);
        at += count;
      }
      assert.equal(at, mapped.length);
    }),
  );
});

test('deadLetterMutation() keeps all bytes of key and value, in parts', () => {
  const value = Buffer.alloc(20_000_000, 'ab');
  const raw = { ...record('key', ''), value };
  const letter = { pipeline: 'p', pipelineVersion: 'v', id: 'i', eventId: undefined, record: raw } as const;
  const mutation = deadLetterMutation([{ ...letter, source: 'kafka', poison: 'too-large', reason: 'r'.repeat(9_999) }]);
  assert.equal(mutation.operation, 'replace');
  if (mutation.operation !== 'replace') return;
  assert.equal(mutation.rows.length, partCountOf(raw));
  const at = mutation.columns.indexOf('RecordValue');
  const parts = mutation.rows.map((row) => Buffer.from(String(row[at]), 'base64'));
  assert.ok(Buffer.concat(parts).equals(value));
});

test('checkPipeline() names every mismatch at once, and nothing where all fits', () => {
  const check = (checked: ReturnType<typeof pipeline>) => checkPipeline(checked, new Map([['T', schema]]), 'd');
  assert.deepEqual(check(pipeline()), []);
  const wrong = pipeline({
    columns: [field('Nowhere', 'a'), field('Count', 'b', 'yyyy-MM-dd'), field('Seen', 'c', 'HH')],
    guard: 'Missing',
  });
  assert.deepEqual(
    check(wrong).map(({ path }) => path.replace('pipelines.p.', '')),
    ['columns.Nowhere', 'columns.Count', 'columns.Seen', 'guard'],
  );
  assert.deepEqual(check(pipeline({ columns: [field('Nowhere', 'a')], pipeline: { onDrift: 'ignore' } })), []);
});
