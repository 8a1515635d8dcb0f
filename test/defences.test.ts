import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { defences } from './defences/defences.ts';

const root = resolve(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

for (const { id, file, text, without, test: tested, name } of defences) {
  test(`defence ${id} stands where \`npm run test:defences\` takes it away, and has its test`, () => {
    assert.equal(read(file).split(text).length, 2, `${file} holds this not once: ${text}`);
    assert.notEqual(text, without);
    assert.ok(isNamed(tested, name), `${tested} has no test ${name}`);
  });
}

test('docs/security.md names every defence with its file and its test, and no other', () => {
  const rows = new Map(
    [...read('docs/security.md').matchAll(/^\|[^\n]*\| `([\w-]+)` \|[^\n]*$/gm)].map(([row, id = '']) => [id, row]),
  );
  assert.deepEqual([...rows.keys()].sort(), defences.map(({ id }) => id).sort());
  for (const { id, attack, file, test: tested, name } of defences) {
    const row = rows.get(id) ?? '';
    for (const part of [attack, file, tested, name.replaceAll('|', '\\|')])
      assert.ok(row.includes(part), `${id}: ${part}`);
  }
});

/** Names as they stand in `test('…')`; those of a template, and of a contract that two sides keep, among them. */
function isNamed(path: string, name: string): boolean {
  const source = read(path);
  const contracts = [...source.matchAll(/from '\.\/([\w-]+-contract\.ts)'/g)].map(([, file]) => file);
  const all = [source, ...contracts.map((file) => read(join(dirname(path), file ?? '')))].join('\n');
  return [...all.matchAll(/\btest\(\s*(['"`])(.*?)\1,/g)].some(([, , written = '']) => {
    const parts = written.split(/\$\{[^}]*\}/).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${parts.join('.+')}$`).test(name);
  });
}
