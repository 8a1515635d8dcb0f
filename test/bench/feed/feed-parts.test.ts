import assert from 'node:assert/strict';
import { test } from 'node:test';
import { feedPart } from './feed-parts.ts';

test('feedPart() takes the nearest folder, and tells collecting and natives apart', () => {
  const partOf = (source: string, name = 'f') => feedPart({ name, source });
  assert.equal(partOf('shared/adapters/spanner/reader/decoder.ts'), 'reader');
  assert.equal(partOf('shared/adapters/trainer/send-request.ts'), 'trainer client');
  assert.equal(partOf('shared/model/tensors/gather.ts'), 'tensors');
  assert.equal(partOf('shared/model/epochs/random.ts'), 'epochs');
  assert.equal(partOf('functions/read-shard/read-shard.ts'), 'read-shard');
  assert.equal(partOf('node:internal/crypto/hash'), 'node');
  assert.equal(partOf('', '(garbage collector)'), 'gc');
  assert.equal(partOf('', 'writev'), 'native');
});
