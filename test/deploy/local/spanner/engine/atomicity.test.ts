import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RpcError } from '../../../../../deploy/local/grpc.ts';
import type { Database } from '../../../../../deploy/local/spanner/engine/database.ts';
import type { WireMutation } from '../../../../../deploy/local/spanner/engine/wire-mutation.ts';
import { openDatabase, read, remove, write } from '../open-database.ts';

const SCHEMA = [
  'CREATE TABLE P (A INT64 NOT NULL, V STRING(4)) PRIMARY KEY (A DESC)',
  'CREATE TABLE C (A INT64 NOT NULL, B INT64 NOT NULL, W STRING(4)) PRIMARY KEY (A DESC, B), INTERLEAVE IN PARENT P ON DELETE CASCADE',
  'CREATE UNIQUE NULL_FILTERED INDEX ByV ON P (V)',
  'CREATE INDEX ByW ON C (W DESC)',
];

const small = fc.bigInt({ min: 0n, max: 3n });
const text = fc.option(fc.constantFrom('a', 'b', 'c', 'd'), { freq: 3 });
const kind = fc.constantFrom(
  'insert' as const,
  'update' as const,
  // Most likely to be taken: a commit is refused as a whole for one change.
  'insertOrUpdate' as const,
  'insertOrUpdate' as const,
  'insertOrUpdate' as const,
  'replace' as const,
  'delete' as const,
);
const change = fc.record({ kind, a: small, b: fc.option(small), text });
const commits = fc.array(fc.array(change, { minLength: 1, maxLength: 5, size: 'max' }), { maxLength: 15, size: 'max' });

type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;
/** Rows by `a` or `a/b`. */
type Model = Map<string, string | null>;

test('a commit does all that plain maps would do, or nothing at all, in tables and indexes alike', async () => {
  const seen = { committed: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(commits, async (groups) => {
      const { database } = await openDatabase(SCHEMA);
      let model: Model = new Map();
      for (const group of groups) {
        const next = applyAll(model, group);
        const outcome = await database.commit({ mutations: group.map(toMutation) }).catch((error: unknown) => error);
        assert.equal(outcome instanceof RpcError, next === undefined, String(outcome));
        seen[next ? 'committed' : 'refused'] += 1;
        model = next ?? model;
        assert.deepEqual(contents(database), expected(model));
      }
    }),
    { numRuns: 300 },
  );
  assert.ok(seen.committed > 100 && seen.refused > 100, JSON.stringify(seen));
});

function toMutation({ kind, a, b, text }: Change): WireMutation {
  if (kind === 'delete') return b === null ? remove('P', [a]) : remove('C', [a, b]);
  return b === null ? write(kind, 'P', { A: a, V: text }) : write(kind, 'C', { A: a, B: b, W: text });
}

/** The rows after a commit, undefined where it must be refused. */
function applyAll(before: Model, group: readonly Change[]): Model | undefined {
  const rows = new Map(before);
  for (const { kind, a, b, text } of group) {
    const key = b === null ? `${a}` : `${a}/${b}`;
    if (kind === 'delete' || (kind === 'replace' && rows.has(key))) {
      for (const other of [...rows.keys()]) if (other === key || other.startsWith(`${key}/`)) rows.delete(other);
    }
    if (kind === 'delete') continue;
    if (kind === 'insert' && rows.has(key)) return undefined;
    if (kind === 'update' && !rows.has(key)) return undefined;
    if (b !== null && !rows.has(`${a}`)) return undefined;
    rows.set(key, text);
  }
  const values = [...rows].filter(([key, value]) => !key.includes('/') && value !== null).map(([, value]) => value);
  return new Set(values).size === values.length ? rows : undefined;
}

function contents(database: Database): string[][] {
  return [
    read(database, { table: 'P', columns: ['A', 'V'] }),
    read(database, { table: 'C', columns: ['A', 'B', 'W'] }),
    read(database, { table: 'P', index: 'ByV', columns: ['V', 'A'] }),
    read(database, { table: 'C', index: 'ByW', columns: ['W', 'A', 'B'] }),
  ].map((rows) => rows.map((row) => row.map(String).join(' ')));
}

function expected(model: Model): string[][] {
  const rows = [...model].map(([key, value]) => ({ key: key.split('/').map(Number), value }));
  const byKey = (x: { key: number[] }, y: { key: number[] }): number =>
    (y.key[0] ?? 0) - (x.key[0] ?? 0) || (x.key[1] ?? 0) - (y.key[1] ?? 0);
  const parents = rows.filter(({ key }) => key.length === 1).sort(byKey);
  const children = rows.filter(({ key }) => key.length === 2).sort(byKey);
  const text = (value: string | null): string => value ?? '\0';
  return [
    parents.map(({ key, value }) => [...key, value].map(String).join(' ')),
    children.map(({ key, value }) => [...key, value].map(String).join(' ')),
    parents
      .filter(({ value }) => value !== null)
      .sort((x, y) => (text(x.value) < text(y.value) ? -1 : 1))
      .map(({ key, value }) => [value, ...key].map(String).join(' ')),
    children
      .toSorted((x, y) => (text(x.value) === text(y.value) ? byKey(x, y) : text(x.value) > text(y.value) ? -1 : 1))
      .map(({ key, value }) => [value, ...key].map(String).join(' ')),
  ];
}
