import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import { reservedWords } from '../ddl/reserved-words.ts';
import { type Token, tokenize } from '../ddl/tokenize.ts';
import type { Schema } from '../schema.ts';

/**
 * Rewrites what Spanner's SQL has and ZetaSQL's evaluator has not; everything else keeps its position.
 *
 * Hints become blanks after a look at FORCE_INDEX; `INFORMATION_SCHEMA.T` becomes a plain table name.
 *
 * @throws {RpcError} INVALID_ARGUMENT for an unknown index; UNIMPLEMENTED for functions that cannot be evaluated
 */
export function prepareSql(sql: string, schema: Schema): string {
  const tokens = tokenize(sql);
  const edits: Edit[] = [];
  tokens.forEach((token, at) => {
    if (isWord(token, 'PENDING_COMMIT_TIMESTAMP')) {
      throw new RpcError(
        status.INVALID_ARGUMENT,
        'PENDING_COMMIT_TIMESTAMP() cannot be read in a query: it is the value of a write until its commit',
      );
    }
    if (token.text === '@' && tokens[at + 1]?.text === '{') edits.push(blankHint(tokens, at, schema));
    if (isInformationSchema(token) && tokens[at + 1]?.text === '.') edits.push(flattenName(tokens, at));
    const makesUuid = isWord(token, 'GENERATE_UUID') || isWord(token, 'NEW_UUID');
    if (makesUuid && tokens[at + 1]?.text === '(' && tokens[at + 2]?.text === ')') {
      edits.push({ from: token.from, to: tokens[at + 2]?.to ?? token.to, text: RANDOM_UUID });
    }
  });
  return applyEdits(sql, edits);
}

interface Edit {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

const RANDOM_HEX = (digits: number): string => `CAST(FLOOR(RAND() * ${16 ** digits}) AS INT64)`;
/** A version 4 UUID of its own in each row: this build of ZetaSQL comes without GENERATE_UUID. */
const RANDOM_UUID =
  `FORMAT('%08x-%04x-4%03x-%x%03x-%012x', ${RANDOM_HEX(8)}, ${RANDOM_HEX(4)}, ${RANDOM_HEX(3)}, ` +
  `8 + CAST(FLOOR(RAND() * 4) AS INT64), ${RANDOM_HEX(3)}, ${RANDOM_HEX(12)})`;

function blankHint(tokens: readonly Token[], at: number, schema: Schema): Edit {
  let end = at + 2;
  while (tokens[end] && tokens[end]?.kind !== 'end' && tokens[end]?.text !== '}') {
    const name = tokens[end];
    const value = tokens[end + 2];
    if (name && value && isWord(name, 'FORCE_INDEX') && tokens[end + 1]?.text === '=') checkIndex(value.text, schema);
    end++;
  }
  const from = tokens[at]?.from ?? 0;
  const to = tokens[end]?.to ?? from;
  return { from, to, text: ' '.repeat(to - from) };
}

function checkIndex(name: string, schema: Schema): void {
  if (name.toUpperCase() === '_BASE_TABLE' || schema.indexes.has(name.toLowerCase())) return;
  throw new RpcError(status.INVALID_ARGUMENT, `FORCE_INDEX names ${name}, which is no index of this database`);
}

function flattenName(tokens: readonly Token[], at: number): Edit {
  const [schemaToken, , nameToken, next] = tokens.slice(at, at + 4);
  const from = schemaToken?.from ?? 0;
  const name = nameToken?.text ?? '';
  const aliased =
    next?.kind === 'name' ||
    (next?.kind === 'word' && (isWord(next, 'AS') || !reservedWords.has(next.text.toUpperCase())));
  const flat = `information_schema_${name.toLowerCase()}`;
  return { from, to: nameToken?.to ?? from, text: aliased ? flat : `${flat} AS ${name}` };
}

function isInformationSchema(token: Token): boolean {
  return (token.kind === 'word' || token.kind === 'name') && token.text.toUpperCase() === 'INFORMATION_SCHEMA';
}

function isWord(token: Token, word: string): boolean {
  return token.kind === 'word' && token.text.toUpperCase() === word;
}

function applyEdits(sql: string, edits: readonly Edit[]): string {
  let text = '';
  let at = 0;
  for (const edit of edits) {
    text += sql.slice(at, edit.from) + edit.text;
    at = edit.to;
  }
  return text + sql.slice(at);
}
