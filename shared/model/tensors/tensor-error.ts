import { PenstockError } from '../../base/errors.ts';

/** Rows cannot become the tensors that the feed declares. */
export class TensorError extends PenstockError {
  readonly #parts: readonly [tensor: string, column: string, problem: string, remedy: string];
  /** Index in the block of the row that cannot; undefined for more than one. */
  readonly row: number | undefined;

  /** @param at the row's index in its block, and its primary key where that is known */
  constructor(
    tensor: string,
    column: string,
    problem: string,
    remedy: string,
    at: { readonly row?: number; readonly key?: readonly unknown[]; readonly cause?: unknown } = {},
  ) {
    const where = at.key === undefined ? '' : ` in row ${JSON.stringify(at.key).slice(0, 256)}`;
    const details = { code: 'TENSOR', remedy, retryable: false };
    super(
      `Tensor ${tensor} of column ${column}${where}: ${problem}`,
      at.cause === undefined ? details : { ...details, cause: at.cause },
    );
    this.#parts = [tensor, column, problem, remedy];
    this.row = at.row;
  }

  /** The same error with the row's primary key, by which a person finds it. */
  withKey(key: readonly unknown[]): TensorError {
    const named = new TensorError(...this.#parts, { ...(this.row === undefined ? {} : { row: this.row }), key });
    if (this.stack !== undefined) named.stack = this.stack;
    return named;
  }
}
