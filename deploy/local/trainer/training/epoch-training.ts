import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { batchesInOrder, type Epoch, type StoredBatch } from '../epoch.ts';
import type { TrainerTrace } from '../trace.ts';
import { auc } from './auc.ts';
import { type Checkpoint, type CheckpointState, loadCheckpoint, saveCheckpoint } from './checkpoint.ts';
import { type BaselineRows, fitBaseline } from './fit-baseline.ts';
import { type Ledger, openLedger } from './ledger.ts';
import { type LossCurve, openLossCurve } from './loss-curve.ts';
import { initialWeights, type Model, openModel, type Weight } from './model.ts';
import type { Progress } from './progress.ts';
import { openRandom, permute } from './random.ts';
import { readAhead } from './read-rows.ts';
import { type Layout, layoutOf, pickRows, type Rows } from './rows.ts';
import { openTensorflow } from './tensorflow.ts';

export interface EpochTrainingSettings {
  passes: number;
  /** The announced seed when undefined. */
  seed: string | undefined;
  saveEveryMs: number;
  /** Milliseconds of a clock that never goes back. */
  now: () => number;
  /** Told of each batch that enters the weights. */
  trace?: TrainerTrace | undefined;
}

const LEARNING_RATE = 0.003;
/** The rate falls in a straight line to this share of it, so that the last steps settle. */
const LAST_RATE_SHARE = 0.1;
const SCORE_ROWS = 2048;

/** Rows in one step: few rows need many steps to learn anything, many rows need large ones to be quick. */
export function chooseStepRows(trainRows: number): number {
  if (trainRows < 4_000) return 64;
  if (trainRows < 20_000) return 128;
  if (trainRows < 100_000) return 256;
  return 1024;
}

/**
 * The training of one ended epoch: what has been seen, and the weights that have seen it, are one file.
 *
 * Whatever happens, the next process goes on from that file with the batches that it does not count as seen.
 */
export class EpochTraining {
  readonly #path: string;
  readonly #epoch: string;
  readonly #batches: readonly StoredBatch[];
  readonly #batchesDigest: string;
  readonly #layout: Layout;
  readonly #baseline: string | undefined;
  readonly #settings: EpochTrainingSettings;
  readonly #stepRows: number;
  readonly #ledger: Ledger;
  readonly #curve: LossCurve;
  readonly #passes: number;
  readonly #seed: string;
  #weights: Weight[];
  #position: { pass: number; batch: number };
  #steps: number;
  #evaluations: { pass: number; step: number; loss: number; auc: number | null }[];
  #baselineAuc: number | undefined;
  #waitedMs: number;
  #trainedMs: number;
  #savedAtMs = 0;
  #failure: string | undefined;

  /** Takes up an epoch where its checkpoint says, or at its start. */
  static async open(epoch: Epoch, settings: EpochTrainingSettings): Promise<EpochTraining> {
    const path = join(epoch.folder, 'checkpoint.safetensors');
    return new EpochTraining(epoch, settings, path, await loadCheckpoint(path));
  }

  constructor(epoch: Epoch, settings: EpochTrainingSettings, path: string, saved: Checkpoint | undefined) {
    this.#path = path;
    this.#epoch = epoch.id;
    this.#settings = settings;
    this.#batches = batchesInOrder(epoch);
    this.#batchesDigest = digestOf(this.#batches);
    this.#layout = layoutOf(epoch.announcement);
    this.#baseline = epoch.announcement.baseline;
    const known = saved?.state.batchesDigest === this.#batchesDigest ? saved : undefined;
    this.#passes = known?.state.passes ?? settings.passes;
    this.#seed = known?.state.seed ?? settings.seed ?? epoch.announcement.seed;
    this.#ledger = openLedger(
      this.#passes,
      this.#batches.map(({ rowCount }) => rowCount),
      known?.ledger,
    );
    this.#curve = openLossCurve(known?.state.curve);
    this.#weights = known?.weights ?? initialWeights(this.#layout, this.#seed);
    this.#position = known?.state.position ?? { pass: 0, batch: 0 };
    this.#steps = known?.state.steps ?? 0;
    this.#evaluations = known?.state.evaluations ?? [];
    this.#baselineAuc = known?.state.baselineAuc;
    this.#waitedMs = known?.state.waitedMs ?? 0;
    this.#trainedMs = known?.state.trainedMs ?? 0;
    this.#stepRows = chooseStepRows(this.#rowsOf('train'));
  }

  get isComplete(): boolean {
    return this.#position.pass >= this.#passes;
  }

  get progress(): Progress {
    return {
      state: this.isComplete ? 'trained' : this.#failure === undefined ? 'training' : 'failed',
      ...(this.#failure === undefined ? {} : { error: this.#failure }),
      passes: this.#passes,
      position: { ...this.#position },
      steps: this.#steps,
      rowsSeenOnce: this.#ledger.rowsSeenOnce(),
      firstLoss: this.#curve.firstLoss,
      lastLoss: this.#curve.lastLoss,
      losses: this.#curve.points,
      evaluations: this.#evaluations,
      baselineAuc: this.#baselineAuc,
      // What was waited is known at once, what was trained at the next batch.
      waitShare: this.#trainedMs > 0 ? Math.min(1, this.#waitedMs / this.#trainedMs) : 0,
    };
  }

  /** Trains until all passes are complete or the signal says stop; the position is saved when this resolves. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.isComplete || signal.aborted) return;
    try {
      await this.#train(signal);
    } catch (cause) {
      this.#failure = cause instanceof Error ? cause.message : String(cause);
    }
  }

  async #train(signal: AbortSignal): Promise<void> {
    if (this.#rowsOf('train') === 0)
      throw new Error('The epoch has no rows of role train: there is nothing to learn from');
    const startedAtMs = this.#settings.now();
    const before = this.#trainedMs;
    const tick = () => {
      this.#trainedMs = before + this.#settings.now() - startedAtMs;
    };
    this.#savedAtMs = startedAtMs;
    this.#baselineAuc ??= await this.#fitBaseline();
    const model = openModel(await openTensorflow(), this.#layout, this.#weights);
    try {
      while (!this.isComplete && !signal.aborted) {
        await this.#trainPass(model, signal, tick);
        if (!signal.aborted) await this.#evaluate(model, signal);
        tick();
        await this.#save(model);
      }
    } finally {
      model.close();
    }
  }

  async #trainPass(model: Model, signal: AbortSignal, tick: () => void): Promise<void> {
    const train = [...this.#batches.keys()].filter((index) => this.#batches[index]?.role === 'train');
    const order = [...permute(train.length, openRandom('batches', this.#seed, this.#position.pass))];
    const left = order.slice(this.#position.batch).map((at) => train[at] ?? 0);
    let at = 0;
    for await (const { batch, rows } of this.#read(left)) {
      if (signal.aborted) return;
      const index = left[at] ?? 0;
      if (this.#ledger.has(this.#position.pass, index)) {
        throw new Error(
          `Batch ${batch.sequence} of shard ${batch.shard} would enter pass ${this.#position.pass} again`,
        );
      }
      const step = this.#settings.trace?.step(batch, { epoch: this.#epoch, pass: this.#position.pass });
      await this.#learnBatch(model, batch, rows);
      step?.end();
      this.#ledger.enter(this.#position.pass, index);
      at += 1;
      this.#position = { ...this.#position, batch: this.#position.batch + 1 };
      tick();
      if (this.#settings.now() - this.#savedAtMs >= this.#settings.saveEveryMs) await this.#save(model);
    }
  }

  /** A batch enters the weights wholly: the position that is saved counts whole batches. */
  async #learnBatch(model: Model, batch: StoredBatch, rows: Rows): Promise<void> {
    const order = permute(rows.count, openRandom('rows', this.#seed, this.#position.pass, batch.shard, batch.sequence));
    for (let from = 0; from < rows.count; from += this.#stepRows) {
      const step = this.#steps + 1;
      const loss = model.learn(pickRows(rows, order.subarray(from, from + this.#stepRows)), step, this.#learningRate());
      if (!Number.isFinite(loss)) {
        throw new Error(
          `The loss is ${loss} at batch ${batch.sequence} of shard ${batch.shard}: is a feature not finite, or not normalised?`,
        );
      }
      this.#steps = step;
      this.#curve.add(step, loss);
      await setImmediate();
    }
  }

  #learningRate(): number {
    let stepsOfPass = 0;
    for (const { role, rowCount } of this.#batches) {
      if (role === 'train') stepsOfPass += Math.ceil(rowCount / this.#stepRows);
    }
    const done = this.#steps / (stepsOfPass * this.#passes);
    return LEARNING_RATE * (1 - (1 - LAST_RATE_SHARE) * done);
  }

  async #evaluate(model: Model, signal: AbortSignal): Promise<void> {
    const held = [...this.#batches.keys()].filter((index) => this.#batches[index]?.role === 'evaluate');
    const scores: Float32Array[] = [];
    const labels: Float32Array[] = [];
    for await (const { rows } of this.#read(held)) {
      if (signal.aborted) return;
      for (let from = 0; from < rows.count; from += SCORE_ROWS) {
        const to = Math.min(from + SCORE_ROWS, rows.count);
        scores.push(
          model.score(
            pickRows(
              rows,
              Uint32Array.from({ length: to - from }, (_, row) => from + row),
            ),
          ),
        );
        await setImmediate();
      }
      labels.push(rows.labels);
    }
    for (const index of held) this.#ledger.enter(this.#position.pass, index);
    const pass = this.#position.pass + 1;
    if (this.#rowsOf('evaluate') > 0) {
      const logits = join32(scores);
      const truth = join32(labels);
      const loss = crossEntropy(logits, truth);
      this.#evaluations.push({ pass, step: this.#steps, loss, auc: auc(logits, truth) ?? null });
    }
    this.#position = { pass, batch: 0 };
  }

  async #fitBaseline(): Promise<number | undefined> {
    const slot = this.#layout.ids.findIndex(({ name }) => name === this.#baseline);
    const read = async (role: StoredBatch['role']): Promise<BaselineRows[]> => {
      const found: BaselineRows[] = [];
      const indices = [...this.#batches.keys()].filter((index) => this.#batches[index]?.role === role);
      for await (const { rows } of this.#read(indices)) {
        found.push({ ids: rows.ids[slot] ?? new Int32Array(rows.count), labels: rows.labels });
      }
      return found;
    };
    const heldOut = await read('evaluate');
    const ids = Int32Array.from(heldOut.flatMap((rows) => [...rows.ids]));
    const labels = join32(heldOut.map((rows) => rows.labels));
    return fitBaseline(await read('train'), { ids, labels }, this.#layout.ids[slot]?.categories ?? 1);
  }

  async #save(model: Model): Promise<void> {
    this.#weights = model.weights();
    const state: CheckpointState = {
      modelVersion: 1,
      batchesDigest: this.#batchesDigest,
      passes: this.#passes,
      seed: this.#seed,
      position: this.#position,
      steps: this.#steps,
      curve: this.#curve.state(),
      evaluations: this.#evaluations,
      ...(this.#baselineAuc === undefined ? {} : { baselineAuc: this.#baselineAuc }),
      waitedMs: this.#waitedMs,
      trainedMs: this.#trainedMs,
    };
    await saveCheckpoint(this.#path, { state, ledger: this.#ledger.counts, weights: this.#weights });
    this.#savedAtMs = this.#settings.now();
  }

  #read(indices: readonly number[]) {
    const batches = indices.flatMap((index) => this.#batches[index] ?? []);
    const waited = (ms: number) => {
      this.#waitedMs += ms;
    };
    return readAhead(batches, this.#layout, { now: this.#settings.now, waited });
  }

  #rowsOf(role: StoredBatch['role']): number {
    return this.#batches.reduce((sum, batch) => sum + (batch.role === role ? batch.rowCount : 0), 0);
  }
}

function digestOf(batches: readonly StoredBatch[]): string {
  const hash = createHash('sha256');
  for (const { shard, sequence, digest } of batches) hash.update(`${shard}/${sequence}:${digest}\n`);
  return hash.digest('hex');
}

function crossEntropy(logits: Float32Array, labels: Float32Array): number {
  let sum = 0;
  for (const [row, logit] of logits.entries()) {
    // log(1 + e^x) written so that a large x does not overflow.
    sum += Math.max(logit, 0) + Math.log1p(Math.exp(-Math.abs(logit))) - logit * (labels[row] ?? 0);
  }
  return sum / logits.length;
}

function join32(arrays: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    joined.set(array, at);
    at += array.length;
  }
  return joined;
}
