import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { openSpannerServer } from '../../../../deploy/local/spanner/server.ts';
import { connect } from './open-client.ts';

test('close() may be called again, at once and later, also with a journal', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'spanner-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const server = await openSpannerServer({ dir });
  await Promise.all([server.close(), server.close()]);
  await server.close();
});

test('an instance that is not there cannot be deleted', async () => {
  const server = await openSpannerServer();
  const spanner = connect(server.address);
  try {
    await assert.rejects(spanner.instance('nothing').delete(), { code: status.NOT_FOUND });
    const [instance, creation] = await spanner.createInstance('some', { config: 'c', nodes: 1, displayName: 'Some' });
    await creation.promise();
    await instance.delete();
    await assert.rejects(spanner.instance('some').delete(), { code: status.NOT_FOUND });
  } finally {
    spanner.close();
    await server.close();
  }
});
