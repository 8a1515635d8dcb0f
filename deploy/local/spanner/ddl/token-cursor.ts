import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import { reservedWords } from './reserved-words.ts';
import { syntaxError, type Token, tokenize } from './tokenize.ts';

const MAX_NAME_CHARACTERS = 128;
const NAME_PATTERN = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Walks over the tokens of one DDL statement; each `expect…` throws INVALID_ARGUMENT with line and column. */
export class TokenCursor {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(source: string) {
    this.#source = source;
    this.#tokens = tokenize(source);
  }

  get current(): Token {
    const token = this.#tokens[this.#at];
    if (!token) throw new Error(`Token ${this.#at} of ${this.#tokens.length}: the cursor ran past the end`);
    return token;
  }

  /** Whether the next tokens are these words or symbols. */
  sees(...texts: readonly string[]): boolean {
    return texts.every((text, ahead) => {
      const token = this.#tokens[this.#at + ahead];
      return token !== undefined && isText(token, text);
    });
  }

  /** Takes these words or symbols, all or none. */
  take(...texts: readonly string[]): boolean {
    if (!this.sees(...texts)) return false;
    this.#at += texts.length;
    return true;
  }

  expect(...texts: readonly string[]): void {
    for (const text of texts) {
      if (!this.take(text)) throw this.unexpected(`'${text}'`);
    }
  }

  /** Takes a name: bare and not reserved, or backquoted. */
  expectName(what: string): string {
    const token = this.current;
    if (token.kind === 'word' && reservedWords.has(token.text.toUpperCase())) {
      throw this.error(`'${token.text}' is a reserved word: as a ${what} it needs backquotes`);
    }
    if (token.kind !== 'word' && token.kind !== 'name') throw this.unexpected(`a ${what}`);
    if (!NAME_PATTERN.test(token.text)) {
      throw this.error(`Invalid ${what} '${token.text}': use letters, digits and underscores, a letter first`);
    }
    if (token.text.length > MAX_NAME_CHARACTERS) {
      throw this.error(
        `Invalid ${what} of ${token.text.length} characters: at most ${MAX_NAME_CHARACTERS} are allowed`,
      );
    }
    this.#at++;
    if (this.sees('.')) throw this.unsupported(`named schemas (${token.text}.…)`);
    return token.text;
  }

  /** A database's id may hold hyphens, which need backquotes. */
  expectDatabaseName(): string {
    const { kind, text } = this.current;
    if (kind !== 'name') return this.expectName('database name');
    if (!/^[a-z][a-z0-9_-]{0,28}[a-z0-9]$/.test(text)) {
      throw this.error(`Invalid database name '${text}': use 2 to 30 lower-case letters, digits, _ and -`);
    }
    this.#at++;
    return text;
  }

  expectInteger(what: string): number {
    const token = this.current;
    if (token.kind !== 'number' || !/^(?:0[xX][0-9a-fA-F]+|[0-9]+)$/.test(token.text)) {
      throw this.unexpected(`a whole number as ${what}`);
    }
    const value = Number(token.text);
    if (!Number.isSafeInteger(value)) throw this.error(`${what} ${token.text} is out of range`);
    this.#at++;
    return value;
  }

  expectLiteral(what: string): string {
    const token = this.current;
    if (token.kind !== 'literal') throw this.unexpected(`a string literal as ${what}`);
    this.#at++;
    return token.text;
  }

  /** Takes `( … )` with whatever balanced tokens it holds and gives the text between, trimmed; a comment ends in a line break. */
  expectParenthesised(what: string): string {
    this.expect('(');
    const from = this.current.from;
    let depth = 1;
    while (true) {
      if (this.current.kind === 'end') throw this.unexpected(`')' to close the ${what}`);
      if (this.sees('(')) depth++;
      if (this.sees(')') && --depth === 0) break;
      this.#at++;
    }
    const text = this.#source.slice(from, this.current.from).trim();
    if (text === '') throw this.unexpected(`an expression as ${what}`);
    this.#at++;
    // A comment at its end would swallow the parenthesis wherever the text is used again.
    return tokenize(`${text})`).at(-2)?.text === ')' ? text : `${text}\n`;
  }

  /** Takes `( item, item, … )`, empty only where told. */
  expectList<T>(item: () => T, options: { emptyAllowed?: boolean } = {}): T[] {
    this.expect('(');
    const items: T[] = [];
    if (options.emptyAllowed && this.take(')')) return items;
    do items.push(item());
    while (this.take(','));
    this.expect(')');
    return items;
  }

  expectEnd(): void {
    if (this.current.kind === 'end') return;
    if (this.sees(';')) throw this.error("Expecting 'EOF' but found ';': send one statement without a semicolon");
    throw this.unexpected("'EOF'");
  }

  unexpected(wanted: string): RpcError {
    const { kind, from, to } = this.current;
    return this.error(`Expecting ${wanted} but found '${kind === 'end' ? 'EOF' : this.#source.slice(from, to)}'`);
  }

  error(problem: string): RpcError {
    return syntaxError(this.#source, this.current.from, problem);
  }

  /** What Spanner has and the laptop's has not. */
  unsupported(clause: string): RpcError {
    return new RpcError(status.UNIMPLEMENTED, `The laptop's Spanner does not have ${clause} yet: leave it out there`);
  }
}

function isText(token: Token, text: string): boolean {
  return (
    (token.kind === 'word' && token.text.toUpperCase() === text) || (token.kind === 'symbol' && token.text === text)
  );
}
