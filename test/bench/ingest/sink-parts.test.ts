import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sinkPart } from './sink-parts.ts';

test('sinkPart() takes the nearest folder, and tells collecting, natives and packages apart', () => {
  const partOf = (source: string, name = 'f') => sinkPart({ name, source });
  assert.equal(partOf('shared/model/events/straight/json-scanner.ts'), 'straight rows');
  assert.equal(partOf('shared/model/events/resolve/resolve-batch.ts'), 'resolve');
  assert.equal(partOf('shared/model/events/values/decimal.ts'), 'model');
  assert.equal(partOf('shared/adapters/spanner/channel.ts'), 'spanner wire');
  assert.equal(partOf('shared/adapters/kafka/wire/fetch.ts'), 'kafka');
  assert.equal(partOf('node:internal/modules/cjs/loader'), 'start');
  assert.equal(partOf('node:internal/http2/core'), 'node');
  assert.equal(partOf('', '(garbage collector)'), 'gc');
  assert.equal(partOf('', 'postMessage'), 'native');
  assert.equal(partOf('node_modules/zod/index.js'), 'other');
});
