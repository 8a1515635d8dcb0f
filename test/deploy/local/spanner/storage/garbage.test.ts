import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Garbage } from '../../../../../deploy/local/spanner/storage/garbage.ts';
import type { RowVersion } from '../../../../../deploy/local/spanner/storage/row-version.ts';
import { SortedMap } from '../../../../../deploy/local/spanner/storage/sorted-map.ts';

const writes = fc.array(
  fc.record({ store: fc.nat(1), key: fc.constantFrom('a', 'b', 'c'), after: fc.nat(2), isDeleted: fc.boolean() }),
  { maxLength: 60, size: 'max' },
);

test('Garbage drops exactly the versions that no read at the horizon or later sees, and counts what waits', () => {
  fc.assert(
    fc.property(writes, fc.nat(80), (written, horizon) => {
      const stores = [new SortedMap<RowVersion>(), new SortedMap<RowVersion>()];
      const garbage = new Garbage();
      const superseded: number[] = [];
      let timestamp = 1;
      for (const { store, key, after, isDeleted } of written) {
        timestamp += after;
        const rows = stores[store] ?? new SortedMap();
        const older = rows.get(key);
        const version = { timestamp, cells: isDeleted ? undefined : [], older };
        rows.set(key, version);
        if (!older && !isDeleted) continue;
        garbage.add(rows, key, version);
        superseded.push(timestamp);
      }
      garbage.collect(horizon);
      assert.equal(garbage.length, superseded.filter((at) => at > horizon).length);
      for (const rows of stores) {
        for (const [, head] of rows.range('', '\xff')) {
          const versions: RowVersion[] = [];
          for (let at: RowVersion | undefined = head; at; at = at.older) versions.push(at);
          assert.ok(head.cells !== undefined || head.timestamp > horizon, 'a deletion that nobody sees is gone');
          assert.ok(versions.filter((version) => version.timestamp <= horizon).length <= 1);
        }
      }
    }),
  );
});
