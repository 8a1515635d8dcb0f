import type { Scalar, Tensor, Variable } from '@tensorflow/tfjs-core';
import { lookUp, multiply, type Tensorflow } from './gradients.ts';
import { openRandom } from './random.ts';
import type { Layout, Rows } from './rows.ts';

/** One parameter of the model with the optimizer's two moments of it, as plain numbers. */
export interface Weight {
  name: string;
  shape: readonly number[];
  value: Float32Array;
  firstMoment: Float32Array;
  secondMoment: Float32Array;
}

/** A binary classifier: id tensors are embedded, joined with the dense features, and pass two hidden layers. */
export interface Model {
  /** One step of Adam on these rows; `step` counts from 1. @returns the mean (weighted) cross-entropy before the step */
  learn(rows: Rows, step: number, learningRate: number): number;
  /** The logit of each row. */
  score(rows: Rows): Float32Array;
  /** A copy of everything that the next step depends on. */
  weights(): Weight[];
  /** Gives its memory back. */
  close(): void;
}

interface Slot {
  name: string;
  /** Decoupled from the gradient: https://arxiv.org/abs/1711.05101 */
  decay: number;
  value: Variable;
  firstMoment: Variable;
  secondMoment: Variable;
}

const EMBEDDING_SIZE = 16;
const HIDDEN_SIZES = [64, 32] as const;
const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-7;
/** Share of an embedding that is lost with each unit of learning rate: ids seen seldom are otherwise learnt by heart. */
const EMBEDDING_DECAY = 5;

/** The weights of a model that has learnt nothing, the same for the same seed. */
export function initialWeights(layout: Layout, seed: string): Weight[] {
  const inputWidth = layout.denseWidth + layout.ids.length * EMBEDDING_SIZE;
  const sizes = [inputWidth, ...HIDDEN_SIZES, 1];
  const weights = layout.ids.map(({ name, categories }) =>
    initialWeight(`embedding/${name}`, [categories, EMBEDDING_SIZE], 0.1, seed),
  );
  for (const [layer, from] of sizes.slice(0, -1).entries()) {
    const to = sizes[layer + 1] ?? 1;
    // He's bound for layers of rectified units: https://arxiv.org/abs/1502.01852
    weights.push(initialWeight(`layer${layer}/kernel`, [from, to], Math.sqrt(6 / from), seed));
    weights.push(initialWeight(`layer${layer}/bias`, [to], 0, seed));
  }
  return weights;
}

function initialWeight(name: string, shape: readonly number[], bound: number, seed: string): Weight {
  const random = openRandom('weights', seed, name);
  const length = shape.reduce((product, size) => product * size, 1);
  const value = Float32Array.from({ length }, () => (random() * 2 - 1) * bound);
  return { name, shape, value, firstMoment: new Float32Array(length), secondMoment: new Float32Array(length) };
}

/** Puts a model with these weights into TensorFlow.js. */
export function openModel(tf: Tensorflow, layout: Layout, weights: readonly Weight[]): Model {
  const slots = weights.map(({ name, shape, value, firstMoment, secondMoment }, index): Slot => {
    const place = (numbers: Float32Array, trainable: boolean) =>
      tf.tidy(() => tf.variable(tf.tensor(numbers, [...shape]), trainable));
    return {
      name,
      decay: index < layout.ids.length ? EMBEDDING_DECAY : 0,
      value: place(value, true),
      firstMoment: place(firstMoment, false),
      secondMoment: place(secondMoment, false),
    };
  });
  const score = (rows: Rows) => scoreRows(tf, layout, slots, rows);
  const variables = slots.map(({ value }) => value);
  return {
    learn(rows, step, learningRate) {
      const before = tf.tidy(() => {
        const labels = tf.tensor1d(rows.labels);
        const crossEntropy = (): Scalar => {
          const logits = score(rows);
          const losses = tf.sub(tf.softplus(logits), tf.mul(logits, labels));
          return tf.mean(rows.weights ? tf.mul(losses, tf.tensor1d(rows.weights)) : losses);
        };
        const { value, grads } = tf.variableGrads(crossEntropy, variables);
        for (const slot of slots) {
          const gradient = grads[slot.value.name];
          if (gradient !== undefined) applyAdam(tf, slot, gradient, { step, learningRate });
        }
        return value;
      });
      return takeNumbers(before)[0] ?? Number.NaN;
    },
    score: (rows) => takeNumbers(tf.tidy(() => score(rows))),
    weights: () => slots.map(readSlot),
    close() {
      for (const { value, firstMoment, secondMoment } of slots) tf.dispose([value, firstMoment, secondMoment]);
    },
  };
}

/** Outside of a tidy(): that would look for tensors in each of the numbers that it returns. */
function takeNumbers(tensor: Tensor): Float32Array {
  const numbers = Float32Array.from(tensor.dataSync<'float32'>());
  tensor.dispose();
  return numbers;
}

function readSlot({ name, value, firstMoment, secondMoment }: Slot): Weight {
  const read = (variable: Variable) => Float32Array.from(variable.dataSync<'float32'>());
  return {
    name,
    shape: value.shape,
    value: read(value),
    firstMoment: read(firstMoment),
    secondMoment: read(secondMoment),
  };
}

function scoreRows(tf: Tensorflow, layout: Layout, slots: readonly Slot[], rows: Rows): Tensor {
  const values = slots.map(({ value }) => value);
  const valueAt = (index: number): Variable => {
    const value = values[index];
    if (value === undefined) throw new Error(`The model has no weight ${index} of ${values.length}`);
    return value;
  };
  const embedded = layout.ids.map((_, index) => lookUp(tf, valueAt(index), rows.ids[index] ?? new Int32Array(0)));
  const dense = layout.denseWidth > 0 ? [tf.tensor2d(rows.dense, [rows.count, layout.denseWidth])] : [];
  let flow: Tensor = tf.concat<Tensor>([...dense, ...embedded], 1);
  for (let layer = layout.ids.length; layer < values.length; layer += 2) {
    const sum = tf.add(multiply(tf, flow, valueAt(layer)), valueAt(layer + 1));
    flow = layer + 2 < values.length ? tf.relu(sum) : sum;
  }
  return tf.reshape(flow, [-1]);
}

/**
 * Adam, with the corrections taken from the step's number: the library's own keeps them as running products,
 * which after a restart differ in the last bit.
 *
 * @see https://arxiv.org/abs/1412.6980
 */
function applyAdam(
  tf: Tensorflow,
  { value, decay, firstMoment, secondMoment }: Slot,
  gradient: Tensor,
  { step, learningRate }: { step: number; learningRate: number },
): void {
  const first = tf.add(tf.mul(firstMoment, BETA1), tf.mul(gradient, 1 - BETA1));
  const second = tf.add(tf.mul(secondMoment, BETA2), tf.mul(tf.square(gradient), 1 - BETA2));
  const rate = (learningRate * Math.sqrt(1 - BETA2 ** step)) / (1 - BETA1 ** step);
  const change = tf.mul(tf.div(first, tf.add(tf.sqrt(second), EPSILON)), rate);
  firstMoment.assign(first);
  secondMoment.assign(second);
  value.assign(tf.sub(decay === 0 ? value : tf.mul(value, 1 - learningRate * decay), change));
}
