import type { RowProgram } from '../row-program.ts';
import type { Cell } from '../values.ts';

/**
 * What programs give for rows, kept for as long as one commit tries.
 *
 * A commit may not wait while it holds the rows, and SQL can only be waited for. So the commit asks, goes back where
 * something is not known yet, lets it be evaluated, and tries again.
 */
export class RowOutcomes {
  readonly #known = new Map<RowProgram, Map<string, readonly Cell[]>>();
  readonly #missing = new Map<RowProgram, Map<string, readonly Cell[]>>();

  /** The result for a row; undefined where it must be evaluated first. */
  of(program: RowProgram, row: readonly Cell[]): readonly Cell[] | undefined {
    const content = contentOf(program, row);
    const known = this.#known.get(program)?.get(content);
    if (!known) entriesOf(this.#missing, program).set(content, row);
    return known;
  }

  /** False once something was asked for that is not known. */
  get isComplete(): boolean {
    return this.#missing.size === 0;
  }

  /** Evaluates all that was asked for, with one run of each program. */
  async evaluateMissing(): Promise<void> {
    const asked = [...this.#missing];
    this.#missing.clear();
    for (const [program, rows] of asked) {
      const results = await program.run([...rows.values()]);
      const known = entriesOf(this.#known, program);
      [...rows.keys()].forEach((content, at) => {
        known.set(content, results[at] ?? []);
      });
    }
  }
}

/** Thrown to take a commit back that lacks an outcome. */
export class OutcomeMissing extends Error {}

function entriesOf<T>(entries: Map<RowProgram, Map<string, T>>, program: RowProgram): Map<string, T> {
  const found = entries.get(program) ?? new Map<string, T>();
  entries.set(program, found);
  return found;
}

/** A text that two rows share exactly when the program cannot tell them apart. */
function contentOf({ inputs }: RowProgram, row: readonly Cell[]): string {
  return inputs.map((place) => textOf(row[place] ?? null)).join('');
}

function textOf(cell: Cell): string {
  if (cell === null) return '-';
  if (Buffer.isBuffer(cell)) return `${cell.length}:${cell.toString('latin1')}`;
  if (Array.isArray(cell)) return `[${cell.map(textOf).join('')}]`;
  if (typeof cell === 'string') return `${cell.length}:${cell}`;
  return Object.is(cell, -0) ? '-0;' : `${String(cell)};`;
}
