import assert from 'node:assert/strict';
import { test } from 'node:test';
import { list, readEnvironment, text, wholeNumber } from '../../../shared/base/environment.ts';
import { ConfigError } from '../../../shared/base/errors.ts';

const settings = {
  url: text('URL', 'Set URL to the address'),
  callers: list('CALLERS', 'Set CALLERS'),
  port: wholeNumber('PORT', { min: 1, max: 65_535, fallback: 8080 }),
};

test('readEnvironment() reads, splits and falls back', () => {
  assert.deepEqual(readEnvironment(settings, { URL: 'http://a', CALLERS: 'a@b, c@d', PORT: '' }), {
    url: 'http://a',
    callers: ['a@b', 'c@d'],
    port: 8080,
  });
});

test('readEnvironment() names every bad variable at once', () => {
  assert.throws(
    () => readEnvironment(settings, { PORT: '70000' }),
    (error) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(
        error.problems.map(({ path }) => path),
        ['URL', 'PORT'],
      );
      assert.match(error.message, /"70000", not a whole number from 1 to 65535/);
      return true;
    },
  );
});
