import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';

export interface Token {
  /** `name` is a backquoted identifier, `literal` a string or bytes literal; `end` stands after the last token. */
  readonly kind: 'word' | 'name' | 'number' | 'literal' | 'symbol' | 'end';
  /** Of a word, number or symbol as written; of a name or literal what stands between its quotes. */
  readonly text: string;
  /** Half-open range in the source, in UTF-16 units. */
  readonly from: number;
  readonly to: number;
}

const SPACE = /(?:\s|--[^\n]*|#[^\n]*|\/\*[\s\S]*?\*\/)+/y;
const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?/y;
const NAME = /`((?:[^`\\\n]|\\.)*)`/y;
const LITERAL =
  /(?:[rR][bB]|[bB][rR]|[rRbB])?(?:"""((?:[^\\]|\\[\s\S])*?)"""|'''((?:[^\\]|\\[\s\S])*?)'''|"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)')/y;
const SYMBOL = /<=|>=|<>|!=|\|\||<<|>>|=>|@@|[-+*/%&|^~=<>(),.;:@?[\]{}$!]/y;

/**
 * Cuts SQL text into tokens, without spaces and comments.
 *
 * @throws {RpcError} INVALID_ARGUMENT for an unclosed quote or comment, or a character that no token has
 */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (true) {
    at = matchAt(SPACE, source, at)?.to ?? at;
    if (at >= source.length) break;
    const token = nextToken(source, at);
    tokens.push(token);
    at = token.to;
  }
  tokens.push({ kind: 'end', text: '', from: source.length, to: source.length });
  return tokens;
}

/** An INVALID_ARGUMENT error that names line and column, both from 1. */
export function syntaxError(source: string, at: number, problem: string): RpcError {
  const before = source.slice(0, at).split('\n');
  const column = (before.at(-1)?.length ?? 0) + 1;
  return new RpcError(status.INVALID_ARGUMENT, `Syntax error on line ${before.length}, column ${column}: ${problem}`);
}

function nextToken(source: string, at: number): Token {
  const literal = matchAt(LITERAL, source, at);
  if (literal) return { kind: 'literal', text: literal.inner, from: at, to: literal.to };
  const word = matchAt(WORD, source, at);
  if (word) return { kind: 'word', text: word.whole, from: at, to: word.to };
  const number = matchAt(NUMBER, source, at);
  if (number) return { kind: 'number', text: number.whole, from: at, to: number.to };
  const name = matchAt(NAME, source, at);
  if (name) return { kind: 'name', text: name.inner, from: at, to: name.to };
  const start = source.slice(at, at + 2);
  if (start === '/*') throw syntaxError(source, at, 'Unclosed comment: expecting */');
  const symbol = matchAt(SYMBOL, source, at);
  if (symbol) return { kind: 'symbol', text: symbol.whole, from: at, to: symbol.to };
  const first = String.fromCodePoint(source.codePointAt(at) ?? 0);
  if (first === '`') throw syntaxError(source, at, 'Unclosed identifier: expecting `');
  if (first === '"' || first === "'") throw syntaxError(source, at, `Unclosed string literal: expecting ${first}`);
  throw syntaxError(source, at, `Unexpected character ${JSON.stringify(first)}`);
}

function matchAt(
  pattern: RegExp,
  source: string,
  at: number,
): { whole: string; inner: string; to: number } | undefined {
  pattern.lastIndex = at;
  const match = pattern.exec(source);
  if (!match) return undefined;
  const inner = match.slice(1).find((group) => group !== undefined) ?? '';
  return { whole: match[0], inner, to: at + match[0].length };
}
