/** Says whether a subscription takes a message with these attributes. */
export type Filter = (attributes: Readonly<Record<string, string>>) => boolean;

const MAX_FILTER_BYTES = 256;
const TOKEN = /\s*(?:("(?:[^"\\]|\\.)*")|([A-Za-z_][\w-]*)|(!=|[().:=,-]))/y;

/**
 * Reads a subscription filter.
 *
 * The language: `attributes:key`, `attributes.key = "value"`, `!=`, `hasPrefix(attributes.key, "prefix")`, NOT or `-`, AND, OR and
 * parentheses; AND and OR do not mix without parentheses.
 * Source: https://cloud.google.com/pubsub/docs/subscription-message-filter
 *
 * @throws {SyntaxError} naming what was expected and where
 */
export function parseFilter(text: string): Filter {
  if (Buffer.byteLength(text) > MAX_FILTER_BYTES) {
    throw new SyntaxError(`The filter has ${Buffer.byteLength(text)} bytes, at most ${MAX_FILTER_BYTES} are allowed`);
  }
  if (text.trim() === '') return () => true;
  const parser = new FilterParser(text);
  return parser.whole();
}

class FilterParser {
  readonly #text: string;
  readonly #tokens: { readonly text: string; readonly at: number }[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    const end = text.trimEnd().length;
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < end) {
      const at = TOKEN.lastIndex;
      const found = TOKEN.exec(text);
      if (found === null) throw new SyntaxError(`Cannot read the filter ${text} from character ${at}`);
      this.#tokens.push({ text: found[1] ?? found[2] ?? found[3] ?? '', at });
    }
  }

  whole(): Filter {
    const filter = this.#expression();
    if (this.#at < this.#tokens.length) this.#fail('the end, or AND and OR apart by parentheses');
    return filter;
  }

  #expression(): Filter {
    const terms = [this.#term()];
    const operator = this.#peek();
    if (operator !== 'AND' && operator !== 'OR') return terms[0] ?? (() => true);
    while (this.#take(operator)) terms.push(this.#term());
    return operator === 'AND'
      ? (attributes) => terms.every((term) => term(attributes))
      : (attributes) => terms.some((term) => term(attributes));
  }

  #term(): Filter {
    if (this.#take('NOT') || this.#take('-')) {
      const negated = this.#term();
      return (attributes) => !negated(attributes);
    }
    if (this.#take('(')) {
      const inner = this.#expression();
      this.#expect(')');
      return inner;
    }
    if (this.#take('hasPrefix')) return this.#prefix();
    this.#expect('attributes');
    if (this.#take(':')) {
      const key = this.#key();
      return (attributes) => Object.hasOwn(attributes, key);
    }
    return this.#comparison();
  }

  #prefix(): Filter {
    this.#expect('(');
    this.#expect('attributes');
    this.#expect('.');
    const key = this.#key();
    this.#expect(',');
    const prefix = this.#string();
    this.#expect(')');
    return (attributes) => Object.hasOwn(attributes, key) && (attributes[key] ?? '').startsWith(prefix);
  }

  #comparison(): Filter {
    this.#expect('.');
    const key = this.#key();
    const isEqual = this.#take('=');
    if (!isEqual) this.#expect('!=');
    const value = this.#string();
    return (attributes) => (Object.hasOwn(attributes, key) && attributes[key] === value) === isEqual;
  }

  #key(): string {
    const token = this.#peek();
    if (token?.startsWith('"')) return this.#string();
    if (token === undefined || !/^[A-Za-z_]/.test(token)) this.#fail('an attribute key');
    this.#at += 1;
    return token;
  }

  #string(): string {
    const token = this.#peek();
    if (!token?.startsWith('"')) this.#fail('a string in double quotes');
    this.#at += 1;
    return token.slice(1, -1).replace(/\\(.)/g, '$1');
  }

  #peek(): string | undefined {
    return this.#tokens[this.#at]?.text;
  }

  #take(text: string): boolean {
    if (this.#peek() !== text) return false;
    this.#at += 1;
    return true;
  }

  #expect(text: string): void {
    if (!this.#take(text)) this.#fail(text);
  }

  #fail(wanted: string): never {
    const token = this.#tokens[this.#at];
    const found = token === undefined ? 'the end' : `${token.text} at character ${token.at}`;
    throw new SyntaxError(`Cannot read the filter ${this.#text}: expected ${wanted}, found ${found}`);
  }
}
