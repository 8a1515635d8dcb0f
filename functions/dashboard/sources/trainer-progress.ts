const MAX_POINTS = 1_000;
const MAX_ANSWER_BYTES = 1024 * 1024;

/** What a trainer answers to `GET /v1/epochs/{epoch}`, as far as the page shows it. */
export interface TrainerProgress {
  readonly state: string;
  readonly error: string | undefined;
  readonly batches: number;
  readonly rows: number;
  readonly pass: number;
  readonly batch: number;
  readonly passes: number;
  readonly steps: number;
  readonly rowsSeenOnce: number;
  readonly firstLoss: number | undefined;
  readonly lastLoss: number | undefined;
  readonly losses: readonly { readonly step: number; readonly loss: number }[];
  readonly evaluations: readonly {
    readonly pass: number;
    readonly step: number;
    readonly loss: number;
    readonly auc: number;
  }[];
  readonly auc: number | undefined;
  readonly baselineAuc: number | undefined;
  readonly waitShare: number | undefined;
}

/** What asking a trainer takes. */
export interface TrainerDoor {
  readonly url: string;
  readonly audience: string;
  readonly authorization: (audience: string) => Promise<string>;
  readonly timeoutMs: number;
}

/**
 * Asks the trainer how far an epoch is. A trainer that is down, slow or says something else never fails the page.
 *
 * @returns undefined when there was no readable answer within the timeout
 */
export async function askTrainer(door: TrainerDoor, epochId: string): Promise<TrainerProgress | undefined> {
  const signal = AbortSignal.timeout(door.timeoutMs);
  const expired = new Promise<undefined>((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  return Promise.race([expired, ask(door, epochId, signal).catch(() => undefined)]);
}

async function ask(door: TrainerDoor, epochId: string, signal: AbortSignal): Promise<TrainerProgress | undefined> {
  const url = `${door.url.replace(/\/$/, '')}/v1/epochs/${encodeURIComponent(epochId)}`;
  const authorization = await door.authorization(door.audience);
  const answer = await fetch(url, { signal, headers: { authorization }, redirect: 'error' });
  if (!answer.ok || Number(answer.headers.get('content-length') ?? 0) > MAX_ANSWER_BYTES) {
    await answer.body?.cancel();
    return undefined;
  }
  return readProgress(await answer.json());
}

/** Reads an answer that may come from any trainer: what is missing or mistyped counts as unknown. */
export function readProgress(answer: unknown): TrainerProgress | undefined {
  if (!isRecord(answer) || typeof answer.state !== 'string') return undefined;
  const position = isRecord(answer.position) ? answer.position : {};
  const training = isRecord(answer.training) ? answer.training : {};
  return {
    state: answer.state,
    error: typeof answer.error === 'string' ? answer.error : undefined,
    batches: count(answer.batches),
    rows: count(answer.rows),
    pass: count(position.pass),
    batch: count(position.batch),
    passes: count(answer.passes),
    steps: count(answer.steps),
    rowsSeenOnce: count(answer.rowsSeenOnce),
    firstLoss: number(training.firstLoss),
    lastLoss: number(training.lastLoss),
    losses: points(training.losses).flatMap((point) => {
      const [step, loss] = [number(point.step), number(point.loss)];
      return step === undefined || loss === undefined ? [] : [{ step, loss }];
    }),
    evaluations: points(training.evaluations).flatMap((point) => {
      const [step, loss, auc] = [number(point.step), number(point.loss), number(point.auc)];
      return step === undefined || loss === undefined || auc === undefined
        ? []
        : [{ pass: count(point.pass), step, loss, auc }];
    }),
    auc: number(training.auc),
    baselineAuc: number(training.baselineAuc),
    waitShare: number(answer.waitShare),
  };
}

function points(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.slice(-MAX_POINTS).filter(isRecord) : [];
}

function count(value: unknown): number {
  return Math.max(0, Math.floor(number(value) ?? 0));
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
