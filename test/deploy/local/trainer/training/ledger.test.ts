import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openLedger } from '../../../../../deploy/local/trainer/training/ledger.ts';

test('openLedger() counts a row once all passes have had its batch once', () => {
  const ledger = openLedger(2, [10, 20]);
  ledger.enter(0, 0);
  ledger.enter(0, 1);
  assert.equal(ledger.rowsSeenOnce(), 0);
  ledger.enter(1, 1);
  assert.equal(ledger.rowsSeenOnce(), 20);
  const again = openLedger(2, [10, 20], Uint8Array.from(ledger.counts));
  assert.deepEqual([again.has(1, 0), again.has(1, 1)], [false, true]);
  again.enter(1, 0);
  assert.equal(again.rowsSeenOnce(), 30);
});

test('openLedger() never counts a batch that entered a pass twice, however often', () => {
  const ledger = openLedger(1, [10]);
  ledger.enter(0, 0);
  for (let more = 0; more < 600; more += 1) {
    ledger.enter(0, 0);
    assert.equal(ledger.rowsSeenOnce(), 0);
  }
});
