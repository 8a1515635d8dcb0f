import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '../../../../shared/base/errors.ts';
import { readDeclaration } from '../../../../shared/model/config/read-declaration.ts';

const start = `spanner: { database: projects/p/instances/i/databases/d }
feeds: { f: { table: Flights, transforms: { a: { column: A, as: float32 } } } }
access:
  policies: ./policies/
`;

function read(more: string, files: Readonly<Record<string, string>> | undefined) {
  return readDeclaration({
    file: 'penstock.yaml',
    text: start + more,
    env: {},
    sections: [],
    readBeside: (name) => files?.[name],
    listBeside: (folder) =>
      folder === './policies/' && files ? Object.keys(files).map((name) => name.slice(11)) : undefined,
  });
}

function problemsOf(...given: Parameters<typeof read>): string[] {
  try {
    read(...given);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems.map(({ line, path, message }) => `${line} ${path} ${message}`);
  }
  return assert.fail('it was taken');
}

test('readDeclaration() carries the policies’ text, in the order of their names, and their groups', () => {
  const files = { './policies/b.cedar': 'permit', './policies/a.cedar': 'forbid', './policies/x.test.yaml': 'tests:' };
  const { declaration } = read('  groups: { ops: [ada@example.com] }\n  sensitive: { flights: [A] }\n', files);
  assert.deepEqual(declaration.access, {
    policies: './policies/',
    sources: [
      { file: './policies/a.cedar', text: 'forbid' },
      { file: './policies/b.cedar', text: 'permit' },
    ],
    groups: { ops: ['ada@example.com'] },
    sensitive: { flights: ['A'] },
    approvalWithinMs: 3_600_000,
    issuers: [],
  });
});

test('readDeclaration() says which folder of policies is missing, and refuses one that is empty', () => {
  const { declaration, missingPolicies } = read('', undefined);
  assert.deepEqual([declaration.access?.sources, missingPolicies], [undefined, './policies/']);
  assert.match(problemsOf('', { './policies/notes.md': '' })[0] ?? '', /^4 access\.policies .*holds no \.cedar file/);
});

test('readDeclaration() refuses sensitive columns of unknown tables, and those that no policy could grant', () => {
  const unknown = problemsOf('  sensitive: { Fligths: [A] }\n', { './policies/a.cedar': '' });
  assert.match(unknown[0] ?? '', /^5 access\.sensitive\.Fligths is no table/);
  const text = start.replace('policies: ./policies/', 'sensitive: { Flights: [A] }');
  assert.throws(() => readDeclaration({ file: 'f', text, env: {}, sections: [] }), /is given without policies/);
});
