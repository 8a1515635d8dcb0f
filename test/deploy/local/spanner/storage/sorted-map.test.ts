import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SortedMap } from '../../../../../deploy/local/spanner/storage/sorted-map.ts';

const key = fc.integer({ min: 0, max: 400 }).map((n) => n.toString().padStart(3, '0'));
const steps = fc.array(
  fc.record({ kind: fc.constantFrom('set' as const, 'set' as const, 'delete' as const), key, value: fc.integer() }),
  { maxLength: 1500, size: 'max' },
);

test('SortedMap holds the same as a plain map, in key order', () => {
  fc.assert(
    fc.property(steps, key, key, (changes, from, to) => {
      const map = new SortedMap<number>();
      const model = new Map<string, number>();
      for (const change of changes) {
        if (change.kind === 'set') {
          map.set(change.key, change.value);
          model.set(change.key, change.value);
        } else {
          assert.equal(map.delete(change.key), model.delete(change.key));
        }
      }
      const sorted = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
      assert.equal(map.size, model.size);
      assert.deepEqual([...map.range('', '\xff')], sorted);
      assert.deepEqual(
        [...map.range(from, to)],
        sorted.filter(([k]) => k >= from && k < to),
      );
      for (const [k, v] of model) assert.equal(map.get(k), v);
    }),
    { numRuns: 60 },
  );
});

test('SortedMap can be changed while it is iterated: what stays is given once, in order', () => {
  fc.assert(
    fc.property(fc.uniqueArray(key, { maxLength: 300, size: 'max' }), steps, (initial, changes) => {
      const map = new SortedMap<number>();
      for (const k of initial) map.set(k, 1);
      const touched = new Set<string>();
      const seen: string[] = [];
      let next = 0;
      for (const [k] of map.range('', '\xff')) {
        seen.push(k);
        for (const change of changes.slice(next, next + 5)) {
          touched.add(change.key);
          if (change.kind === 'set') map.set(change.key, change.value);
          else map.delete(change.key);
        }
        next += 5;
      }
      assert.deepEqual(seen, [...new Set(seen)].sort());
      for (const k of initial) if (!touched.has(k)) assert.ok(seen.includes(k), `${k} was left out`);
    }),
    { numRuns: 60 },
  );
});
