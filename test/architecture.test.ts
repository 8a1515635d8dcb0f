import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative, resolve } from 'node:path';
import { test } from 'node:test';

/** The import table: a file may import from its own room and from the rooms named here. First match by longest prefix. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'shared/base': [],
  'shared/model': ['shared/base'],
  'shared/adapters/*': ['shared/base', 'shared/model'],
  'shared/connect': ['shared/base', 'shared/model', 'shared/adapters'],
  'functions/*': ['shared/base', 'shared/model', 'shared/adapters', 'shared/connect'],
  'deploy/local': [],
  'deploy/local/*': ['deploy/local'],
  'deploy/gcp': ['shared/base', 'shared/model'],
  'deploy/cli': ['shared', 'functions', 'deploy'],
  'deploy/build.ts': [],
  test: ['shared', 'functions', 'deploy'],
};

/** Files that put a whole level together. */
const MAY_IMPORT_BELOW: Readonly<Record<string, readonly string[]>> = { 'deploy/local/cloud.ts': ['deploy/local'] };

/** What pure thought must not reach for. */
const IMPURE = /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bprocess\.(?!versions)|\bfetch\(|\bsetTimeout\(/;
const PURE_NODE_MODULES = new Set(['node:crypto', 'node:buffer', 'node:util', 'node:zlib']);

type Sources = ReadonlyMap<string, string>;

function roomOf(path: string): string {
  if (path === 'deploy/build.ts') return path;
  for (const parent of ['shared/adapters', 'functions', 'deploy/local']) {
    if (path.startsWith(`${parent}/`)) {
      const [child, rest] = path.slice(parent.length + 1).split('/');
      return rest === undefined ? parent : `${parent}/${child}`;
    }
  }
  return Object.keys(MAY_IMPORT).find((room) => path.startsWith(`${room}/`)) ?? path;
}

function allowedFrom(room: string): readonly string[] {
  return MAY_IMPORT[room] ?? MAY_IMPORT[`${posix.dirname(room)}/*`] ?? [];
}

function isAllowed(from: string, to: string): boolean {
  const room = roomOf(from);
  const target = roomOf(to);
  if (room === target) return true;
  if ((MAY_IMPORT_BELOW[from] ?? []).some((folder) => target.startsWith(`${folder}/`))) return true;
  return allowedFrom(room).some((folder) => {
    // A server may use what lies directly in deploy/local, never a sibling server.
    if (folder === 'deploy/local' && room.startsWith('deploy/local/')) return target === folder;
    return target === folder || target.startsWith(`${folder}/`) || to.startsWith(`${folder}/`);
  });
}

function withoutComments(source: string): string {
  return source.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '');
}

function importsOf(source: string): string[] {
  return [...withoutComments(source).matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g)].map(
    ([, specifier = '']) => specifier,
  );
}

function violations(sources: Sources): string[] {
  const found: string[] = [];
  for (const [path, source] of sources) {
    for (const specifier of importsOf(source)) {
      if (specifier.startsWith('.')) {
        const target = posix.normalize(posix.join(posix.dirname(path), specifier));
        if (!isAllowed(path, target)) found.push(`${path} imports ${target}`);
      } else if (
        path.startsWith('shared/model/') &&
        specifier.startsWith('node:') &&
        !PURE_NODE_MODULES.has(specifier)
      ) {
        found.push(`${path} is pure but imports ${specifier}`);
      }
    }
    if (path.startsWith('shared/model/') || path.startsWith('shared/base/')) {
      const impure = path.startsWith('shared/model/') ? IMPURE.exec(withoutComments(source)) : null;
      if (impure) found.push(`${path} is pure but uses ${impure[0]}`);
    }
  }
  return found;
}

function cycleIn(sources: Sources): string[] | undefined {
  const done = new Set<string>();
  const visit = (path: string, trail: string[]): string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return undefined;
    for (const specifier of importsOf(sources.get(path) ?? '').filter((name) => name.startsWith('.'))) {
      const cycle = visit(posix.normalize(posix.join(posix.dirname(path), specifier)), [...trail, path]);
      if (cycle) return cycle;
    }
    done.add(path);
    return undefined;
  };
  for (const path of sources.keys()) {
    const cycle = visit(path, []);
    if (cycle) return cycle;
  }
  return undefined;
}

const root = resolve(import.meta.dirname, '..');

function projectSources(): Sources {
  const sources = new Map<string, string>();
  for (const top of ['functions', 'shared', 'deploy', 'test']) {
    for (const entry of readdirSync(join(root, top), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !/\.(ts|js)$/.test(entry.name) || entry.parentPath.includes('node_modules')) continue;
      const path = join(entry.parentPath, entry.name);
      // This file's planted imports are text.
      if (path !== import.meta.filename) sources.set(relative(root, path), readFileSync(path, 'utf8'));
    }
  }
  return sources;
}

test('every import goes the way that the import table allows', () => {
  const sources = projectSources();
  assert.ok(sources.size > 50, `only ${sources.size} sources were found`);
  assert.deepEqual(violations(sources), []);
});

test('no file imports itself through others', () => {
  assert.equal(cycleIn(projectSources())?.join(' → '), undefined);
});

for (const [path, source] of [
  ['shared/base/planted.ts', "import { x } from '../model/config/declaration.ts';"],
  ['shared/model/events/planted.ts', "import { x } from '../../adapters/kafka/driver.ts';"],
  ['shared/model/events/planted.ts', "import { readFileSync } from 'node:fs';"],
  ['shared/model/events/planted.ts', 'export const now = Date.now();'],
  ['shared/adapters/kafka/planted.ts', "const x = await import('../spanner/event-store.ts');"],
  ['functions/kafka-sink/planted.ts', "export { x } from '../pubsub-sink/handler.ts';"],
  ['deploy/local/kafka/planted.ts', "import type { X } from '../../../shared/base/errors.ts';"],
  ['deploy/local/kafka/planted.ts', "import { x } from '../spanner/server.ts';"],
  ['deploy/local/planted.ts', "import { x } from '../cli/output.ts';"],
] as const) {
  test(`a planted wrong import is found: ${path}: ${source}`, () => {
    assert.equal(violations(new Map([[path, source]])).length, 1);
  });
}

test('a planted cycle is found', () => {
  const planted = new Map([
    ['shared/base/a.ts', "import './b.ts';"],
    ['shared/base/b.ts', "import './a.ts';"],
  ]);
  assert.deepEqual(cycleIn(planted), ['shared/base/a.ts', 'shared/base/b.ts', 'shared/base/a.ts']);
});

test('every path of the import table exists', () => {
  for (const room of Object.keys(MAY_IMPORT)) {
    assert.ok(existsSync(join(root, room.replace('/*', ''))), `${room} is in the import table, but not in the tree`);
  }
});
