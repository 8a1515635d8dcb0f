import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { tableFromIPC } from 'apache-arrow';
import { buildInto } from '../../deploy/build.ts';

const root = resolve(import.meta.dirname, '../..');
for (const name of ['kafka-sink', 'pubsub-sink']) {
  test(`${name} speaks to Spanner itself: the official client costs 60 MB of memory and most of a cold start`, async () => {
    const dist = mkdtempSync(join(root, 'dist-'));
    try {
      await buildInto(dist, [name]);
      const code = readFileSync(join(dist, name, 'index.js'), 'utf8');
      assert.match(code, /google\.spanner\.v1\.Spanner/);
      assert.doesNotMatch(code, /node_modules\/@google-cloud\/spanner/);
    } finally {
      rmSync(dist, { recursive: true, force: true });
    }
  });
}

test('plan-epoch, which names Arrow batches and writes none, has neither the library nor a file of it', async () => {
  const dist = mkdtempSync(join(root, 'dist-'));
  try {
    await buildInto(dist, ['plan-epoch']);
    const files = readdirSync(join(dist, 'plan-epoch'));
    assert.ok(files.includes('otlp.js') && files.includes('cedar-engine.js'));
    assert.deepEqual(
      files.filter((file) => file.startsWith('arrow')),
      [],
    );
  } finally {
    rmSync(dist, { recursive: true, force: true });
  }
});

test('read-shard has the Arrow library beside its bundle, for those who ask for it: none else loads its text', async () => {
  const dist = mkdtempSync(join(root, 'dist-'));
  try {
    await buildInto(dist, ['read-shard']);
    const code = readFileSync(join(dist, 'read-shard', 'index.js'), 'utf8');
    assert.match(code, /import\("\.\/arrow-layout\.js"\)/);
    assert.doesNotMatch(code, /node_modules\/apache-arrow/);
    const { arrowLayout } = createRequire(import.meta.url)(join(dist, 'read-shard', 'arrow-layout.js'));
    const body = arrowLayout([{ name: 'x', dtype: 'F32', shape: [], role: 'feature' }]).layOut(3, { epoch: 'e1' });
    body.items[0].set([1, 2, 3]);
    const table = tableFromIPC(body.seal());
    assert.deepEqual([...(table.getChild('x') ?? [])], [1, 2, 3]);
  } finally {
    rmSync(dist, { recursive: true, force: true });
  }
});
