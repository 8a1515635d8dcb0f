import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ConfigError, type ConfigProblem } from '../../../../shared/base/errors.ts';
import { readDeclaration } from '../../../../shared/model/config/read-declaration.ts';
import { declarationJsonSchema } from '../../../../shared/model/config/schema.ts';

const example = readFileSync(new URL('../../../../deploy/local/demo/penstock.yaml', import.meta.url), 'utf8');
const env = { GOOGLE_CLOUD_PROJECT: 'p', KAFKA_BROKERS: 'a:1, b:2', TRAINER_URL: 'http://trainer/' };
const sections = ['spanner', 'kafka', 'pipelines', 'feeds'];

function read(text: string, variables: Record<string, string> = env) {
  return readDeclaration({ file: 'penstock.yaml', text, env: variables, sections });
}

function problemsOf(text: string, variables: Record<string, string> = env): readonly ConfigProblem[] {
  try {
    read(text, variables);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems;
  }
  assert.fail('the declaration was taken');
}

test('readDeclaration() reads the example with units, variables and defaults resolved', () => {
  const { declaration, unsetVariables } = read(example);
  assert.deepEqual(unsetVariables, []);
  assert.equal(declaration.spanner.database, 'projects/p/instances/main/databases/flights');
  assert.deepEqual(declaration.kafka?.brokers, ['a:1', 'b:2']);
  const flights = declaration.pipelines.flights;
  assert.deepEqual(flights?.source, {
    kind: 'kafka',
    topics: ['flights'],
    pattern: undefined,
    group: 'penstock-flights',
  });
  assert.deepEqual(flights?.batch, { maxRows: 5000, maxBytes: 4 * 1024 * 1024, lingerMs: 50 });
  assert.deepEqual(declaration.pipelines['delays-by-origin']?.targets[0]?.aggregate?.into, [
    { column: 'FlightCount', function: 'count', field: undefined, by: undefined },
    { column: 'TotalDelayMinutes', function: 'sum', field: 'delay', by: undefined },
    { column: 'WorstDelayMinutes', function: 'max', field: 'delay', by: undefined },
  ]);
  const feed = declaration.feeds.delays;
  assert.equal(feed?.schedule?.everyMs, 86_400_000);
  assert.deepEqual(feed?.split, { by: 'FlightId', evaluateShare: 0.1 });
  assert.equal(feed?.trainer?.url, 'http://trainer');
  assert.equal(declaration.secrets['kafka-sink']?.everyMs, 28 * 86_400_000);
});

test('readDeclaration() names every mistake at once, each with its line, value and remedy', () => {
  const text = example
    .replace('mode: upsert', 'mode: upset')
    .replace('seed: 7', 'sed: 7')
    .replace('maxBytes: 4MiB', 'maxBytes: 4MB')
    .replace('zone: America/Chicago }', 'zone: America/Nowhere }')
    .replace(
      'distance: { column: DistanceMiles, normalise: mean-variance',
      'distance: { column: DistanceMiles, as: int32, normalise: mean-variance',
    );
  const problems = problemsOf(text);
  const at = (needle: string) => text.slice(0, text.indexOf(needle)).split('\n').length;
  const found = problems.map(({ path, line }) => [path, line]);
  assert.deepEqual(
    found.toSorted(),
    [
      ['pipelines.flights.mode', at('mode: upset')],
      ['pipelines.flights.columns.DepartedAt.zone', at('America/Nowhere')],
      ['pipelines.flights.batch.maxBytes', at('4MB')],
      ['feeds.delays.sed', at('sed: 7')],
    ].toSorted(),
  );
  const zone = problems.find(({ path }) => path.endsWith('zone'));
  assert.match(zone?.message ?? '', /"America\/Nowhere"/);
  assert.match(zone?.remedy ?? '', /IANA/);
});

test('readDeclaration() checks settings against each other even where others are malformed', () => {
  const text = example.replace('seed: 7', 'seed: 7\n    shardRows: 100').replace('format: json', 'format: xml');
  assert.deepEqual(
    problemsOf(text).map(({ path }) => path),
    ['pipelines.flights.format', 'feeds.delays.shardRows'],
  );
});

test('readDeclaration() names a variable that is not set, where it is needed', () => {
  const problems = problemsOf(example, { KAFKA_BROKERS: 'a:1', TRAINER_URL: 'http://t' });
  assert.equal(problems.length, 1);
  assert.match(problems[0]?.message ?? '', /GOOGLE_CLOUD_PROJECT, which is not set/);
  assert.equal(problems[0]?.line, 6);
});

test('readDeclaration() lets a variable be unset in a section that is not used', () => {
  const { unsetVariables } = readDeclaration({ file: 'f', text: example, env: {}, sections: [] });
  assert.deepEqual(unsetVariables, ['GOOGLE_CLOUD_PROJECT', 'KAFKA_BROKERS', 'TRAINER_URL']);
});

test('readDeclaration() takes the default of a variable that is not set', () => {
  const text = example.replace(`$${'{KAFKA_BROKERS}'}`, `$${'{KAFKA_BROKERS:-c:3}'}`);
  assert.deepEqual(read(text, { ...env, KAFKA_BROKERS: '' }).declaration.kafka?.brokers, ['c:3']);
});

test('readDeclaration() points at broken YAML and at a repeated name', () => {
  assert.match(problemsOf('pipelines: [')[0]?.path ?? '', /syntax/);
  const twice = problemsOf('spanner: { database: projects/p/instances/i/databases/d }\nspanner: {}\n');
  assert.deepEqual(
    twice.map(({ line }) => line),
    [2],
  );
});

test('readDeclaration() refuses a file without a database', () => {
  const problems = problemsOf('');
  assert.deepEqual(
    problems.map(({ path }) => path),
    ['spanner'],
  );
});

test('readDeclaration() refuses a Kafka pipeline without brokers', () => {
  const text = example.replace(/^kafka:\n( {2}.*\n)+/m, '');
  assert.match(problemsOf(text)[0]?.message ?? '', /no brokers/);
});

test('declarationJsonSchema() is what penstock.schema.json holds', () => {
  const file = new URL('../../../../deploy/local/demo/penstock.schema.json', import.meta.url);
  assert.deepEqual(
    JSON.parse(readFileSync(file, 'utf8')),
    declarationJsonSchema(),
    'Write it again: npx penstock schema > deploy/local/demo/penstock.schema.json',
  );
});
