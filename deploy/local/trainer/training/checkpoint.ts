import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { writeDurably } from '../durable-file.ts';
import { readSafetensors, SafetensorsError, type Tensor } from '../safetensors.ts';
import { writeSafetensors } from '../write-safetensors.ts';
import type { Weight } from './model.ts';

const loss = z.object({ step: z.int(), loss: z.number() });

const stateSchema = z.object({
  /** Raised whenever the model's shape or its steps change: older weights are then not gone on with. */
  modelVersion: z.literal(1),
  /** SHA-256 over the epoch's batches: weights that have seen other batches are not gone on with. */
  batchesDigest: z.string(),
  passes: z.int().min(1),
  seed: z.string(),
  position: z.object({ pass: z.int().min(0), batch: z.int().min(0) }),
  steps: z.int().min(0),
  curve: z.object({
    points: z.array(loss),
    stride: z.int().min(1),
    pendingSum: z.number(),
    pendingCount: z.int().min(0),
    firstLoss: z.number().optional(),
    recent: z.array(z.number()),
  }),
  evaluations: z.array(loss.extend({ pass: z.int(), auc: z.number().nullable() })),
  baselineAuc: z.number().optional(),
  waitedMs: z.number(),
  trainedMs: z.number(),
});

/** Where the training stands, apart from the numbers of its weights. */
export type CheckpointState = z.infer<typeof stateSchema>;

/** Everything that the next step depends on, and what has been seen: saved together or not at all. */
export interface Checkpoint {
  state: CheckpointState;
  ledger: Uint8Array;
  weights: Weight[];
}

const LEDGER = 'ledger';
const parts = ['value', 'firstMoment', 'secondMoment'] as const;

/** Replaces the checkpoint at `path` durably; a crash leaves the one before. */
export async function saveCheckpoint(path: string, { state, ledger, weights }: Checkpoint): Promise<void> {
  const tensors = new Map<string, Tensor>();
  for (const { name, shape, ...numbers } of weights) {
    for (const part of parts) {
      const { buffer, byteOffset, byteLength } = numbers[part];
      tensors.set(`${name}:${part}`, { dtype: 'F32', shape, bytes: new Uint8Array(buffer, byteOffset, byteLength) });
    }
  }
  tensors.set(LEDGER, { dtype: 'U8', shape: [ledger.length], bytes: ledger });
  const text = JSON.stringify(state);
  await writeDurably(path, writeSafetensors({ state: text, digest: digestOf(text, tensors) }, tensors));
}

/**
 * Reads a checkpoint back.
 *
 * @returns undefined when there is none, or when its bytes are not those that were saved
 */
export async function loadCheckpoint(path: string): Promise<Checkpoint | undefined> {
  let body: Buffer;
  try {
    body = await readFile(path);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw cause;
  }
  try {
    const { metadata, tensors } = readSafetensors(body);
    const text = metadata.get('state') ?? '';
    const ledger = tensors.get(LEDGER);
    if (ledger === undefined || metadata.get('digest') !== digestOf(text, tensors)) return undefined;
    return {
      state: stateSchema.parse(JSON.parse(text)),
      ledger: Uint8Array.from(ledger.bytes),
      weights: readWeights(tensors),
    };
  } catch (cause) {
    if (cause instanceof SafetensorsError || cause instanceof z.ZodError || cause instanceof SyntaxError)
      return undefined;
    throw cause;
  }
}

function readWeights(tensors: ReadonlyMap<string, Tensor>): Weight[] {
  const weights: Weight[] = [];
  for (const [key, { shape }] of tensors) {
    if (!key.endsWith(':value')) continue;
    const name = key.slice(0, -':value'.length);
    const read = (part: string) =>
      new Float32Array(Uint8Array.from(tensors.get(`${name}:${part}`)?.bytes ?? []).buffer);
    weights.push({
      name,
      shape,
      value: read('value'),
      firstMoment: read('firstMoment'),
      secondMoment: read('secondMoment'),
    });
  }
  return weights;
}

function digestOf(text: string, tensors: ReadonlyMap<string, Tensor>): string {
  const hash = createHash('sha256').update(text);
  for (const [name, { shape, bytes }] of tensors) hash.update(`${name}[${shape}]`).update(bytes);
  return hash.digest('hex');
}
