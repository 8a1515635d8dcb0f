import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  quoteForShell,
  sayAge,
  sayBytes,
  sayCount,
  sayDuration,
  sayMany,
  sayMoment,
  sayNumber,
  sayRate,
  sayShare,
  sayTime,
  showHidden,
} from '../../../../functions/dashboard/view/words.ts';

test('sayDuration() keeps two units at most and never goes below zero', () => {
  const durations = [
    -5, 0, 420, 9_900, 9_960, 41_200, 59_400, 59_600, 60_000, 252_000, 3_600_000, 11_100_000, 187_200_000,
  ];
  assert.deepEqual(durations.map(sayDuration), [
    '0 s',
    '0 s',
    '0.4 s',
    '9.9 s',
    '10 s',
    '41 s',
    '59 s',
    '1 m',
    '1 m',
    '4 m 12 s',
    '1 h',
    '3 h 5 m',
    '2 d 4 h',
  ]);
});

test('sayShare() never rounds what is unfinished up to all of it', () => {
  assert.deepEqual([0, 0.004, 0.675, 0.9999, 1, 2].map(sayShare), ['0 %', '0.4 %', '68 %', '99 %', '100 %', '100 %']);
});

test('sayCount(), sayMany() and sayNumber() say figures', () => {
  assert.equal(sayCount(48_213_907), '48,213,907');
  assert.equal(sayCount(9_007_199_254_740_993n), '9,007,199,254,740,993');
  assert.deepEqual([sayMany(1, 'record'), sayMany(2n, 'batch', 'batches')], ['1 record', '2 batches']);
  assert.deepEqual([sayNumber(2), sayNumber(12)], ['Two', '12']);
});

test('sayRate(), sayAge() and sayBytes() choose the unit that can be read', () => {
  assert.deepEqual([0, 0.01, 0.44, 9.96, 12_330.4].map(sayRate), ['0', 'under 0.1', '0.4', '10.0', '12,330']);
  assert.deepEqual([10_000, 41 * 60_000, 90 * 60_000, 50 * 3_600_000].map(sayAge), [
    'under a minute',
    '41 m',
    '1 h',
    '2 d',
  ]);
  assert.deepEqual([17, 4_100, 12_582_912].map(sayBytes), ['17 B', '4.0 KiB', '12 MiB']);
});

test('sayTime() and sayMoment() say UTC, and unknown for no time at all', () => {
  const at = Date.UTC(2026, 10, 21, 6, 28, 29);
  assert.deepEqual([sayTime(at), sayMoment(at)], ['06:28:29 UTC', '21 Nov 06:28:29 UTC']);
  assert.deepEqual([sayTime(Number.NaN), sayMoment(Number.NaN)], ['unknown', 'unknown']);
});

test('showHidden() shows control and direction characters as their numbers', () => {
  assert.equal(showHidden('a\u0000b\u202ec\u2028dé'), 'a\\x00b\\u{202e}c\\u{2028}dé');
});

test('quoteForShell() leaves plain words alone and quotes what a shell would run', () => {
  assert.deepEqual(['delays-20261121', 'a/b:c', ''].map(quoteForShell), ['delays-20261121', 'a/b:c', "''"]);
  assert.equal(quoteForShell('x; rm -rf $HOME `id`'), "'x; rm -rf $HOME `id`'");
  assert.equal(quoteForShell("a'b\n"), "'a'\\''b\\x0a'");
});
