import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { readDeclaration } from '../shared/model/config/read-declaration.ts';

const root = resolve(import.meta.dirname, '..');
const pages = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'deploy/local/DIFFERENCES.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name.replaceAll('\\', '/')}`),
];
const env = { GOOGLE_CLOUD_PROJECT: 'p', KAFKA_BROKERS: 'b:1', TRAINER_URL: 'http://t' };

function textOf(page: string): string {
  return readFileSync(join(root, page), 'utf8');
}

function blocksOf(page: string, language: string): string[] {
  const pattern = new RegExp(`^( *)\`\`\`${language}\\n([\\s\\S]*?)^\\1\`\`\``, 'gm');
  return [...textOf(page).matchAll(pattern)].map(([, indent = '', block = '']) =>
    block.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  );
}

for (const page of pages) {
  for (const [at, yaml] of blocksOf(page, 'yaml').entries()) {
    test(`example ${at + 1} of ${page} is a correct declaration`, () => {
      const sections = ['spanner', 'kafka', 'pipelines', 'feeds'];
      const listBeside = () => ['policies.cedar'];
      const readBeside = (name: string) => (name.endsWith('.cedar') ? '' : undefined);
      readDeclaration({ file: page, text: yaml, env, sections, readBeside, listBeside });
    });
  }

  test(`${page} links to files that exist`, () => {
    for (const [, target = ''] of textOf(page).matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
      assert.ok(existsSync(resolve(root, dirname(page), target)), `${page} links to ${target}`);
    }
  });

  test(`${page} names commands and scripts that exist`, () => {
    const program = readFileSync(join(root, 'deploy/cli/penstock.ts'), 'utf8');
    const scripts = Object.keys(JSON.parse(textOf('package.json')).scripts);
    for (const [, command = ''] of textOf(page).matchAll(/npx penstock ([a-z][a-z-]*)/g)) {
      assert.ok(program.includes(`.command('${command}')`), `${page} names penstock ${command}`);
    }
    for (const [, script = ''] of textOf(page).matchAll(/npm run ([a-z][a-z:]*)/g)) {
      assert.ok(scripts.includes(script), `${page} names npm run ${script}`);
    }
  });
}

test('the documents hold declarations at all', () => {
  assert.ok(pages.flatMap((page) => blocksOf(page, 'yaml')).length >= 4);
});
