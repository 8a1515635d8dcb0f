import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadDeclaration } from '../../../../shared/adapters/declaration/load-declaration.ts';
import { ConfigError } from '../../../../shared/base/errors.ts';

const dir = mkdtempSync(join(tmpdir(), 'declaration-'));
after(() => rmSync(dir, { recursive: true }));

async function refuses(path: string | undefined, message: RegExp): Promise<void> {
  await assert.rejects(loadDeclaration({ PENSTOCK_DECLARATION: path }), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.match(error.message, message);
    return true;
  });
}

function file(name: string, text: string): string {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
}

test('loadDeclaration() reads what this version compiled', async () => {
  const path = file('good.json', JSON.stringify({ version: 1, pipelines: {} }));
  assert.deepEqual((await loadDeclaration({ PENSTOCK_DECLARATION: path })).pipelines, {});
});

test('loadDeclaration() says what is wrong with the variable or the file', async () => {
  await refuses(undefined, /is not set/);
  await refuses(join(dir, 'none.json'), /cannot be read: ENOENT/);
  await refuses(file('yaml.json', 'spanner: {}'), /no JSON/);
  await refuses(file('old.json', JSON.stringify({ version: 0 })), /not compiled by this version/);
});
