import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '../../../../shared/base/errors.ts';
import type { Feed } from '../../../../shared/model/config/declaration.ts';
import { readDeclaration } from '../../../../shared/model/config/read-declaration.ts';

function feedWith(settings: string): Feed | undefined {
  const text = `
spanner: { database: projects/p/instances/i/databases/d }
feeds:
  f:
    table: T
    transforms: { x: { column: C, as: float32 } }
    ${settings}
`;
  const { declaration } = readDeclaration({ file: 'penstock.yaml', text, env: {}, sections: ['spanner', 'feeds'] });
  return declaration.feeds.f;
}

function problemsOf(settings: string): string {
  try {
    feedWith(settings);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

test('readDeclaration() reads where files go, and the format of a trainer’s batches', () => {
  const files = feedWith('files: { url: gs://bucket/a/b/, format: tfrecord }')?.files;
  assert.deepEqual(files, { url: 'gs://bucket/a/b', format: 'tfrecord' });
  assert.equal(feedWith('files: { url: file:///data/feeds, format: arrow }')?.files?.url, 'file:///data/feeds');
  assert.equal(feedWith('trainer: { url: http://t, format: arrow }')?.trainer?.format, 'arrow');
  assert.equal('files' in (feedWith('trainer: { url: http://t }') ?? {}), false);
});

test('readDeclaration() refuses files beside a trainer, elsewhere than in Cloud Storage or a folder, and in other formats', () => {
  const both = 'trainer: { url: http://t }\n    files: { url: gs://bucket, format: arrow }';
  assert.match(problemsOf(both), /feeds\.f\.files: is given beside `trainer`\. Keep one of the two/);
  assert.match(
    problemsOf('files: { url: s3://bucket, format: arrow }'),
    /"s3:\/\/bucket", neither in Cloud Storage nor/,
  );
  assert.match(
    problemsOf('files: { url: file://host/x, format: arrow }'),
    /gs:\/\/BUCKET\/PREFIX, or file:\/\/\/FOLDER/,
  );
  assert.match(problemsOf('files: { url: gs://bucket, format: csv }'), /feeds\.f\.files\.format/);
  assert.match(problemsOf('trainer: { url: http://t, format: tfrecord }'), /feeds\.f\.trainer\.format/);
});
