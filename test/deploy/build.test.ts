import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
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
