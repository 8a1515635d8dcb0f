import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { applyDdl } from '../../../../../deploy/local/spanner/ddl/apply.ts';
import { emptySchema } from '../../../../../deploy/local/spanner/ddl/empty-schema.ts';
import type { Schema } from '../../../../../deploy/local/spanner/schema.ts';

const SINGERS = 'CREATE TABLE Singers (SingerId INT64 NOT NULL, Name STRING(64)) PRIMARY KEY (SingerId)';
const ALBUMS =
  'CREATE TABLE Albums (SingerId INT64 NOT NULL, AlbumId INT64 NOT NULL, Title STRING(MAX)) ' +
  'PRIMARY KEY (SingerId, AlbumId DESC), INTERLEAVE IN PARENT Singers ON DELETE CASCADE';

function apply(...statements: readonly string[]): Schema {
  return statements.reduce(applyDdl, emptySchema);
}

function refuses(schema: Schema, statement: string, code: status, message: RegExp): void {
  assert.throws(
    () => applyDdl(schema, statement),
    (error: { code?: status; message: string }) => {
      assert.equal(error.code, code, `${statement}: ${error.message}`);
      assert.match(error.message, message);
      return true;
    },
  );
}

test('applyDdl() reads every column type with its length, NOT NULL, DEFAULT and options', () => {
  const schema = apply(
    `create table AllTypes ( -- one column each
      B BOOL, I INT64 NOT NULL DEFAULT (1 + (2)), F FLOAT32, D FLOAT64, N NUMERIC, # comment
      S STRING(0x10), M STRING(MAX), Y BYTES(1), J JSON, A DATE,
      T TIMESTAMP OPTIONS (allow_commit_timestamp = true), U UUID DEFAULT (NEW_UUID()),
      L ARRAY<STRING(5)> DEFAULT (["a)", 'b']), K ARRAY<BYTES(MAX)>, /* last */
    ) PRIMARY KEY (I)`,
  );
  const table = schema.tables.get('alltypes');
  const plain = {
    maxLength: undefined,
    notNull: false,
    defaultExpression: undefined,
    generatedAs: undefined,
    allowCommitTimestamp: false,
  };
  assert.deepEqual(table?.columns, [
    { ...plain, name: 'B', type: { code: 'BOOL' } },
    { ...plain, name: 'I', type: { code: 'INT64' }, notNull: true, defaultExpression: '1 + (2)' },
    { ...plain, name: 'F', type: { code: 'FLOAT32' } },
    { ...plain, name: 'D', type: { code: 'FLOAT64' } },
    { ...plain, name: 'N', type: { code: 'NUMERIC' } },
    { ...plain, name: 'S', type: { code: 'STRING' }, maxLength: 16 },
    { ...plain, name: 'M', type: { code: 'STRING' } },
    { ...plain, name: 'Y', type: { code: 'BYTES' }, maxLength: 1 },
    { ...plain, name: 'J', type: { code: 'JSON' } },
    { ...plain, name: 'A', type: { code: 'DATE' } },
    { ...plain, name: 'T', type: { code: 'TIMESTAMP' }, allowCommitTimestamp: true },
    { ...plain, name: 'U', type: { code: 'UUID' }, defaultExpression: 'NEW_UUID()' },
    {
      ...plain,
      name: 'L',
      type: { code: 'ARRAY', element: { code: 'STRING' } },
      maxLength: 5,
      defaultExpression: `["a)", 'b']`,
    },
    { ...plain, name: 'K', type: { code: 'ARRAY', element: { code: 'BYTES' } } },
  ]);
});

test('applyDdl() reads keys at the end, among the columns and on a column', () => {
  const descending = [
    { column: 'b', descending: false },
    { column: 'a', descending: true },
  ];
  const key = (statement: string) => apply(statement).tables.get('t')?.primaryKey;
  assert.deepEqual(key('CREATE TABLE t (a INT64, b INT64) PRIMARY KEY (b ASC, a DESC)'), descending);
  assert.deepEqual(key('CREATE TABLE t (a INT64, b INT64, PRIMARY KEY (b, a DESC))'), descending);
  assert.deepEqual(key('CREATE TABLE t (a INT64 NOT NULL PRIMARY KEY)'), [{ column: 'a', descending: false }]);
  assert.deepEqual(key('CREATE TABLE t (a INT64) PRIMARY KEY ()'), []);
});

test('applyDdl() reads interleaving, indexes, row deletion policies and the retention period', () => {
  const schema = apply(
    SINGERS,
    ALBUMS,
    'ALTER TABLE Albums ADD COLUMN ReleasedAt TIMESTAMP',
    'ALTER TABLE Albums ADD ROW DELETION POLICY (OLDER_THAN(ReleasedAt, INTERVAL 30 DAY))',
    'CREATE UNIQUE NULL_FILTERED INDEX ByTitle ON Albums(SingerId, Title DESC) STORING (ReleasedAt), INTERLEAVE IN Singers',
    "ALTER DATABASE `my-db` SET OPTIONS (version_retention_period = '7d')",
  );
  assert.deepEqual(schema.tables.get('albums')?.parent, { table: 'Singers', onDelete: 'CASCADE' });
  assert.deepEqual(schema.tables.get('albums')?.rowDeletionPolicy, { column: 'ReleasedAt', days: 30 });
  assert.deepEqual(schema.indexes.get('bytitle'), {
    name: 'ByTitle',
    table: 'Albums',
    key: [
      { column: 'SingerId', descending: false },
      { column: 'Title', descending: true },
    ],
    storing: ['ReleasedAt'],
    unique: true,
    nullFiltered: true,
    interleavedIn: 'Singers',
  });
  assert.equal(schema.versionRetentionMs, 7 * 86_400_000);
});

test('applyDdl() leaves the schema that it was given as it is', () => {
  const before = apply(SINGERS);
  applyDdl(before, 'ALTER TABLE Singers ADD COLUMN Age INT64');
  applyDdl(before, ALBUMS);
  assert.deepEqual(before, apply(SINGERS));
});

test('applyDdl() alters a column: type, length, NOT NULL, DEFAULT and options', () => {
  const column = (...statements: readonly string[]) => apply(SINGERS, ...statements).tables.get('singers')?.columns[1];
  const before = column();
  assert.deepEqual(column('ALTER TABLE Singers ALTER COLUMN Name STRING(MAX) NOT NULL'), {
    ...before,
    maxLength: undefined,
    notNull: true,
  });
  assert.deepEqual(column('ALTER TABLE Singers ALTER COLUMN Name BYTES(9)')?.type, { code: 'BYTES' });
  const set = "ALTER TABLE Singers ALTER COLUMN Name SET DEFAULT ('x')";
  assert.equal(column(set)?.defaultExpression, "'x'");
  assert.deepEqual(column(set, 'ALTER TABLE Singers ALTER COLUMN Name DROP DEFAULT'), before);
  const schema = apply(
    SINGERS,
    'ALTER TABLE Singers ADD COLUMN IF NOT EXISTS At2 TIMESTAMP',
    'ALTER TABLE Singers ADD COLUMN IF NOT EXISTS At2 INT64',
    'ALTER TABLE Singers ALTER COLUMN At2 SET OPTIONS (allow_commit_timestamp = true)',
  );
  assert.equal(schema.tables.get('singers')?.columns[2]?.allowCommitTimestamp, true);
});

test('applyDdl() drops what IF EXISTS allows to be missing, and nothing that others stand on', () => {
  const schema = apply(SINGERS, ALBUMS, 'CREATE INDEX ByTitle ON Albums(Title)');
  assert.equal(applyDdl(schema, 'DROP TABLE IF EXISTS Nothing'), schema);
  refuses(schema, 'DROP TABLE Nothing', status.NOT_FOUND, /Table not found: Nothing/);
  refuses(schema, 'DROP INDEX Nothing', status.NOT_FOUND, /Index not found: Nothing/);
  refuses(schema, 'DROP TABLE Singers', status.FAILED_PRECONDITION, /with interleaved tables: Albums/);
  refuses(schema, 'DROP TABLE Albums', status.FAILED_PRECONDITION, /with indices: ByTitle/);
  refuses(schema, 'ALTER TABLE Albums DROP COLUMN Title', status.FAILED_PRECONDITION, /index ByTitle uses it/);
  refuses(schema, 'ALTER TABLE Albums DROP COLUMN AlbumId', status.FAILED_PRECONDITION, /key column AlbumId/);
  const emptied = ['DROP INDEX ByTitle', 'DROP TABLE Albums', 'DROP TABLE Singers'].reduce(applyDdl, schema);
  assert.deepEqual(emptied, emptySchema);
});

test('applyDdl() refuses what does not fit the schema, as Spanner does', () => {
  const schema = apply(SINGERS, ALBUMS);
  const cases: readonly [string, RegExp][] = [
    [SINGERS.replace('Singers', 'SINGERS'), /Duplicate name in schema: SINGERS/],
    ['CREATE TABLE t (a INT64, A INT64) PRIMARY KEY (a)', /Duplicate column name t\.A/],
    ['CREATE TABLE t (a ARRAY<INT64>) PRIMARY KEY (a)', /ARRAY and JSON have no order/],
    ['CREATE TABLE t (a JSON) PRIMARY KEY (a)', /ARRAY and JSON have no order/],
    ['CREATE TABLE t (a INT64 OPTIONS (allow_commit_timestamp = true)) PRIMARY KEY (a)', /only allowed on TIMESTAMP/],
    ['CREATE TABLE t (a INT64) PRIMARY KEY (a), INTERLEAVE IN PARENT Singers', /part 1 must be SingerId, not a/],
    [
      'CREATE TABLE t (SingerId STRING(9) NOT NULL) PRIMARY KEY (SingerId), INTERLEAVE IN PARENT Singers',
      /must have the same type/,
    ],
    [
      'ALTER TABLE Singers ADD COLUMN x INT64 NOT NULL',
      /Cannot add NOT NULL column Singers\.x to existing table Singers/,
    ],
    ['ALTER TABLE Singers ADD COLUMN name INT64', /Duplicate column name/],
    ['ALTER TABLE Singers ALTER COLUMN Name INT64', /only STRING and BYTES change into each other/],
    ['ALTER TABLE Singers ALTER COLUMN SingerId INT64', /Cannot change NOT NULL of key column/],
    ['ALTER TABLE Singers SET ON DELETE CASCADE', /not interleaved in a parent/],
    ['ALTER TABLE Singers DROP ROW DELETION POLICY', /no row deletion policy/],
    ['ALTER TABLE Singers ADD ROW DELETION POLICY (OLDER_THAN(Name, INTERVAL 1 DAY))', /needs a TIMESTAMP column/],
    ['CREATE INDEX i ON Albums(Title) STORING (SingerId)', /cannot store column SingerId/],
    ['CREATE INDEX i ON Singers(Name), INTERLEAVE IN Albums', /no ancestor of Singers/],
    ['CREATE INDEX i ON Albums(Title), INTERLEAVE IN Singers', /must begin its key/],
  ];
  for (const [statement, message] of cases) refuses(schema, statement, status.FAILED_PRECONDITION, message);
  refuses(schema, 'CREATE INDEX i ON Singers(Nope)', status.NOT_FOUND, /Column not found in table Singers: Nope/);
  refuses(schema, 'ALTER TABLE Nope DROP COLUMN a', status.NOT_FOUND, /Table not found: Nope/);
});

test('applyDdl() protects the rows of a child from the row deletion policy of its parent', () => {
  const parent = SINGERS.replace('Name STRING(64)', 'At2 TIMESTAMP');
  const kept = apply(parent, ALBUMS.replace('CASCADE', 'NO ACTION'));
  const policy = 'ALTER TABLE Singers ADD ROW DELETION POLICY (OLDER_THAN(At2, INTERVAL 1 DAY))';
  refuses(kept, policy, status.FAILED_PRECONDITION, /while Albums is interleaved ON DELETE NO ACTION/);
  const cascading = ['ALTER TABLE Albums SET ON DELETE CASCADE', policy].reduce(applyDdl, kept);
  refuses(cascading, 'ALTER TABLE Albums SET ON DELETE NO ACTION', status.FAILED_PRECONDITION, /NO ACTION/);
});

test('applyDdl() names line and column of a syntax error', () => {
  const cases: readonly [string, RegExp][] = [
    ['SELECT 1', /^Syntax error on line 1, column 1: Expecting 'CREATE', 'ALTER' or 'DROP' but found 'SELECT'/],
    ['CREATE TABLE t (\n  a INT64,\n  b INTEGER\n) PRIMARY KEY (a)', /line 3, column 5: Expecting a column type/],
    ['CREATE TABLE t (a INT64)', /column 25: Expecting 'PRIMARY KEY' but found 'EOF'/],
    ['CREATE TABLE t (a INT64) PRIMARY KEY (a);', /column 41: Expecting 'EOF' but found ';'/],
    ['CREATE TABLE order (a INT64) PRIMARY KEY (a)', /column 14: 'order' is a reserved word/],
    ['CREATE TABLE t (a INT64 CHECK (a > 0)) PRIMARY KEY (a)', /stands by itself/],
    [`CREATE TABLE ${'t'.repeat(129)} (a INT64) PRIMARY KEY (a)`, /129 characters/],
    ['CREATE TABLE `a b` (a INT64) PRIMARY KEY (a)', /Invalid table name 'a b'/],
    ['CREATE TABLE t (a STRING) PRIMARY KEY (a)', /Expecting '\(' but found '\)'/],
    ['CREATE TABLE t (a STRING(0)) PRIMARY KEY (a)', /Invalid length 0/],
    ['CREATE TABLE t (a STRING(2621441)) PRIMARY KEY (a)', /Invalid length 2621441/],
    ['CREATE TABLE t (a STRING(MAX) DEFAULT (")) PRIMARY KEY (a)', /Unclosed string literal/],
    ['CREATE TABLE t (a INT64 DEFAULT (1 PRIMARY KEY (a)', /to close the default value/],
    ['CREATE TABLE t (a INT64 /* ) PRIMARY KEY (a)', /Unclosed comment/],
    ['CREATE TABLE t (a ARRAY<ARRAY<INT64>>) PRIMARY KEY (a)', /An ARRAY cannot hold an ARRAY/],
    ["ALTER DATABASE dd SET OPTIONS (version_retention_period = '8d')", /use '1h' to '7d'/],
    ["ALTER DATABASE dd SET OPTIONS (version_retention_period = '59m')", /use '1h' to '7d'/],
  ];
  for (const [statement, message] of cases) refuses(emptySchema, statement, status.INVALID_ARGUMENT, message);
  const missing = 'CREATE TABLE t (a INT64) PRIMARY KEY (b)';
  refuses(emptySchema, missing, status.INVALID_ARGUMENT, /names column b, which t does not have/);
});

test('applyDdl() names the clause that the laptop does not have', () => {
  const cases: readonly [string, RegExp][] = [
    ['CREATE CHANGE STREAM s FOR ALL', /CREATE CHANGE STREAM/],
    ['CREATE OR REPLACE VIEW v SQL SECURITY INVOKER AS SELECT 1', /CREATE VIEW/],
    ["CREATE SEQUENCE s OPTIONS (sequence_kind = 'bit_reversed_positive')", /CREATE SEQUENCE/],
    ['GRANT SELECT ON CHANGE STREAM s TO ROLE r', /CHANGE STREAM/],
    ['GRANT EXECUTE ON TABLE FUNCTION f TO ROLE r', /EXECUTE/],
    ['CREATE TABLE t (a INT64 GENERATED BY DEFAULT AS IDENTITY) PRIMARY KEY (a)', /identity/],
    ['CREATE TABLE t (a TOKENLIST) PRIMARY KEY (a)', /TOKENLIST/],
    ['CREATE TABLE s.t (a INT64) PRIMARY KEY (a)', /named schemas/],
    ['CREATE SEARCH INDEX i ON t(a)', /SEARCH INDEX/],
    ['ALTER INDEX i ADD STORED COLUMN a', /ALTER INDEX/],
    ['ALTER TABLE t RENAME TO u', /RENAME/],
    ["ALTER DATABASE dd SET OPTIONS (default_leader = 'x')", /default_leader/],
  ];
  for (const [statement, clause] of cases) {
    refuses(emptySchema, statement, status.UNIMPLEMENTED, clause);
    refuses(emptySchema, statement, status.UNIMPLEMENTED, /laptop's Spanner does not have/);
  }
});
