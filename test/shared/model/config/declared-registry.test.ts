import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, type ConfigProblem } from '../../../../shared/base/errors.ts';
import type { Declaration } from '../../../../shared/model/config/declaration.ts';
import { readDeclaration } from '../../../../shared/model/config/read-declaration.ts';

function read(settings: string, registry = ''): Declaration | readonly ConfigProblem[] {
  const text = `
spanner: { database: projects/p/instances/i/databases/d }
kafka: { brokers: k:1 }
${registry}
pipelines:
  p: { source: { kafka: { topic: t } }, table: T, mode: upsert, ${settings} }
`;
  try {
    return readDeclaration({
      file: 'penstock.yaml',
      text,
      env: {},
      sections: [],
      readBeside: (file) => (file === 'row.avsc' ? '"string"' : undefined),
    }).declaration;
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems;
  }
}

for (const settings of [
  'format: avro',
  'format: protobuf, schema: { message: a.B }',
  'format: json-schema',
  'format: debezium, debezium: { encoding: avro }',
  'format: json, keyFormat: avro',
]) {
  test(`readDeclaration() asks for a registry where there is \`${settings}\``, () => {
    const problems = read(settings);
    assert.ok(Array.isArray(problems));
    assert.deepEqual(
      problems.map(({ path, line }: ConfigProblem) => [path, line]),
      [['pipelines.p.format', 6]],
    );
    assert.ok('pipelines' in read(settings, 'registry: { url: https://r }'));
  });
}

for (const settings of [
  'format: json',
  'format: bytes',
  'format: avro, schema: { file: row.avsc }',
  'format: debezium',
  'format: json, keyFormat: avro, keySchema: { file: row.avsc }',
]) {
  test(`readDeclaration() asks for no registry where there is \`${settings}\``, () => {
    assert.ok('pipelines' in read(settings));
  });
}
