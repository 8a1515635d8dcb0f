import type { GradSaveFunc, Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import type { openTensorflow } from './tensorflow.ts';

export type Tensorflow = Awaited<ReturnType<typeof openTensorflow>>;

/**
 * Matrix product whose gradient transposes first: WebAssembly multiplies plain matrices with SIMD, but transposed ones by
 * three plain loops, at a sixth of the speed.
 */
export function multiply(tf: Tensorflow, left: Tensor, right: Tensor): Tensor {
  const product = tf.customGrad((...inputs) => {
    keepForGradient(inputs, [left, right]);
    return {
      value: tf.matMul(left, right),
      gradFunc: (gradient: Tensor, [a = left, b = right]: Tensor[]) => [
        tf.matMul(gradient, tf.transpose(b)),
        tf.matMul(tf.transpose(a), gradient),
      ],
    };
  });
  return product(left, right);
}

/** The rows of `matrix` that `ids` name; the library's own lookup has a gradient without a WebAssembly kernel. */
export function lookUp(tf: Tensorflow, matrix: Tensor, ids: Int32Array): Tensor {
  const rows = tf.tensor1d(ids, 'int32');
  const found = tf.customGrad((...inputs) => {
    keepForGradient(inputs, [rows]);
    return {
      value: tf.gather(matrix, rows),
      // An id that occurs twice has both its rows' gradients added up.
      gradFunc: (gradient: Tensor, [named = rows]: Tensor[]) =>
        tf.scatterND(tf.expandDims<Tensor2D>(named, 1), gradient, matrix.shape),
    };
  });
  return found(matrix);
}

/** What was made on the way forward is gone on the way back, unless it is saved by the function that comes as the last input. */
function keepForGradient(inputs: readonly (Tensor | GradSaveFunc)[], tensors: Tensor[]): void {
  const save = inputs.at(-1);
  if (typeof save === 'function') save(tensors);
}
