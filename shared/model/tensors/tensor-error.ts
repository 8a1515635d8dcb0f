import { PenstockError } from '../../base/errors.ts';

/** Rows cannot become the tensors that the feed declares. */
export class TensorError extends PenstockError {
  constructor(tensor: string, column: string, problem: string, remedy: string) {
    super(`Tensor ${tensor} of column ${column}: ${problem}`, { code: 'TENSOR', remedy, retryable: false });
  }
}
