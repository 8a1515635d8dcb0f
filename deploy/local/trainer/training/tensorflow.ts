import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
// Only for what it does when it is loaded: the core's own bundle for Node has no gradients, the layers' registers them all.
import '@tensorflow/tfjs-layers';

let ready: Promise<typeof tf> | undefined;

/**
 * TensorFlow.js on its WebAssembly backend, from local files, with SIMD and on one thread.
 *
 * One thread, because the functions and servers around it need the others, and because sums over threads differ from run to run.
 */
export function openTensorflow(): Promise<typeof tf> {
  ready ??= initialise();
  return ready;
}

async function initialise(): Promise<typeof tf> {
  const folder = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'));
  setWasmPaths(folder + sep);
  tf.enableProdMode();
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  const uncaught = process.listeners('uncaughtException');
  const unhandled = process.listeners('unhandledRejection');
  if (!(await tf.setBackend('wasm'))) throw new Error(`TensorFlow.js could not start WebAssembly from ${folder}`);
  // The compiled module takes uncaught errors of the whole process for itself and rethrows them; Node's own way is wanted.
  for (const listener of process.listeners('uncaughtException')) {
    if (!uncaught.includes(listener)) process.removeListener('uncaughtException', listener);
  }
  for (const listener of process.listeners('unhandledRejection')) {
    if (!unhandled.includes(listener)) process.removeListener('unhandledRejection', listener);
  }
  return tf;
}
