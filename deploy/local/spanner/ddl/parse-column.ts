import type { Generation } from '../schema.ts';
import type { ScalarCode, SpannerType } from '../values.ts';
import type { ColumnDefinition } from './statement.ts';
import type { TokenCursor } from './token-cursor.ts';

/** Spanner's limits: characters of a STRING, bytes of a BYTES. */
const MAX_LENGTH = { STRING: 2_621_440, BYTES: 10_485_760 } as const;

const PLAIN_TYPES: ReadonlyMap<string, ScalarCode> = new Map(
  (['BOOL', 'INT64', 'FLOAT32', 'FLOAT64', 'NUMERIC', 'JSON', 'DATE', 'TIMESTAMP', 'UUID'] as const).map((code) => [
    code,
    code,
  ]),
);
const UNSUPPORTED_TYPES = ['TOKENLIST', 'STRUCT', 'PROTO', 'ENUM', 'INTERVAL'];

interface SizedType {
  readonly type: SpannerType;
  readonly maxLength: number | undefined;
}

/** Parses what follows a column's name, up to an inline PRIMARY KEY. */
export function parseColumnDefinition(cursor: TokenCursor): ColumnDefinition {
  const { type, maxLength } = parseType(cursor);
  let notNull = false;
  let defaultExpression: string | undefined;
  let generatedAs: Generation | undefined;
  let allowCommitTimestamp: boolean | undefined;
  while (true) {
    if (cursor.take('NOT')) {
      cursor.expect('NULL');
      notNull = true;
    } else if (cursor.take('DEFAULT')) {
      defaultExpression = cursor.expectParenthesised('default value');
    } else if (cursor.take('AS')) {
      const expression = cursor.expectParenthesised('expression of a generated column');
      generatedAs = { expression, stored: cursor.take('STORED') };
    } else if (cursor.take('OPTIONS')) {
      allowCommitTimestamp = parseColumnOptions(cursor);
    } else break;
  }
  refuseUnsupportedClauses(cursor);
  return { type, maxLength, notNull, defaultExpression, generatedAs, allowCommitTimestamp };
}

/** Parses `(allow_commit_timestamp = true | false | null)`. */
export function parseColumnOptions(cursor: TokenCursor): boolean {
  let allowed = false;
  cursor.expectList(() => {
    if (!cursor.take('ALLOW_COMMIT_TIMESTAMP')) throw cursor.unexpected("the option 'allow_commit_timestamp'");
    cursor.expect('=');
    if (cursor.take('TRUE')) allowed = true;
    else if (cursor.take('NULL') || cursor.take('FALSE')) allowed = false;
    else throw cursor.unexpected("'true' or 'null'");
  });
  return allowed;
}

function parseType(cursor: TokenCursor): SizedType {
  if (!cursor.take('ARRAY')) return parseScalar(cursor);
  cursor.expect('<');
  if (cursor.sees('ARRAY')) throw cursor.error('An ARRAY cannot hold an ARRAY');
  const { type, maxLength } = parseScalar(cursor);
  cursor.expect('>');
  if (cursor.sees('(')) throw cursor.unsupported("an array's vector_length");
  return { type: { code: 'ARRAY', element: type }, maxLength };
}

function parseScalar(cursor: TokenCursor): SizedType {
  for (const code of ['STRING', 'BYTES'] as const) {
    if (cursor.take(code)) return { type: { code }, maxLength: parseLength(cursor, code) };
  }
  const token = cursor.current;
  const word = token.text.toUpperCase();
  const code = token.kind === 'word' ? PLAIN_TYPES.get(word) : undefined;
  if (code) {
    cursor.expect(code);
    return { type: { code }, maxLength: undefined };
  }
  if (UNSUPPORTED_TYPES.includes(word)) throw cursor.unsupported(`columns of type ${word}`);
  throw cursor.unexpected('a column type');
}

function parseLength(cursor: TokenCursor, code: keyof typeof MAX_LENGTH): number | undefined {
  cursor.expect('(');
  if (cursor.take('MAX', ')')) return undefined;
  const length = cursor.expectInteger(`the length of a ${code}`);
  if (length < 1 || length > MAX_LENGTH[code]) {
    throw cursor.error(`Invalid length ${length} of a ${code}: use 1 to ${MAX_LENGTH[code]}, or MAX`);
  }
  cursor.expect(')');
  return length;
}

function refuseUnsupportedClauses(cursor: TokenCursor): void {
  if (cursor.sees('GENERATED')) throw cursor.unsupported('identity columns');
  if (cursor.sees('AUTO_INCREMENT')) throw cursor.unsupported('AUTO_INCREMENT columns');
  if (cursor.sees('ON', 'UPDATE')) throw cursor.unsupported('ON UPDATE expressions');
  if (cursor.sees('HIDDEN')) throw cursor.unsupported('HIDDEN columns');
  if (cursor.sees('PLACEMENT')) throw cursor.unsupported('placement keys');
  if (cursor.sees('CHECK') || cursor.sees('CONSTRAINT') || cursor.sees('REFERENCES')) {
    throw cursor.error('A constraint stands by itself among the columns: put a comma before it');
  }
}
