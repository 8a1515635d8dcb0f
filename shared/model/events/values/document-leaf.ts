import { PoisonError } from '../records/poison.ts';

declare global {
  interface JSON {
    /** Text that `JSON.stringify` writes as it is. Source: tc39/proposal-json-parse-with-source. */
    rawJSON(text: string): unknown;
  }
}

/** A value that a record's format knows and plain JSON does not; `toJSON` is how a JSON column gets it. */
export abstract class DocumentLeaf {
  abstract toJSON(): unknown;
  /** What it is, in the words of a reason. */
  abstract describe(): string;
}

/** A number whose digits a JavaScript number might not hold: kept as it was written. */
export class ExactNumber extends DocumentLeaf {
  readonly source: string;

  constructor(source: string) {
    super();
    this.source = source;
  }

  override toJSON(): unknown {
    return JSON.rawJSON(this.source);
  }

  override describe(): string {
    return `the number ${this.source.slice(0, 80)}`;
  }
}

/**
 * A binary number of 64 bits that a FLOAT32 does not hold, or that is not finite.
 *
 * Others come as plain numbers: so a plain number never loses anything in a FLOAT32 that it had in a binary format.
 */
export class Double extends DocumentLeaf {
  readonly value: number;

  constructor(value: number) {
    super();
    this.value = value;
  }

  override toJSON(): unknown {
    if (Number.isFinite(this.value)) return this.value;
    throw new PoisonError('unmappable', `JSON has no ${this.value}`);
  }

  override describe(): string {
    return `the number ${this.value}`;
  }
}

/** Bytes; base64 in a JSON column. */
export class Bytes extends DocumentLeaf {
  readonly buffer: Buffer;

  constructor(buffer: Buffer) {
    super();
    this.buffer = buffer;
  }

  override toJSON(): unknown {
    return this.buffer.toString('base64');
  }

  override describe(): string {
    return `a value of ${this.buffer.length} bytes`;
  }
}

/** A value that no column can hold, like a day in the year 12,000: poison exactly where a column asks for it. */
export class Unfit extends DocumentLeaf {
  readonly what: string;

  constructor(what: string) {
    super();
    this.what = what;
  }

  override toJSON(): unknown {
    throw new PoisonError('unmappable', `JSON cannot hold ${this.what}`);
  }

  override describe(): string {
    return this.what;
  }
}

/** A binary floating-point number as a document holds it. */
export function floatLeaf(value: number): number | Double {
  return Math.fround(value) === value && Number.isFinite(value) ? value : new Double(value);
}
