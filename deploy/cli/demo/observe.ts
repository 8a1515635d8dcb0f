import type { Database } from '@google-cloud/spanner';
import { kafkajsClient } from '../../../shared/adapters/kafka/kafkajs-client.ts';
import { query } from '../epoch-progress.ts';

const TRAINER_TIMEOUT_MS = 10_000;

/** @returns next offsets of a pipeline, added up over its partitions */
export async function consumed(database: Database, pipeline: string): Promise<number> {
  const rows = await query(database, 'SELECT NextOffset FROM PenstockCheckpoints WHERE Pipeline = @pipeline', {
    pipeline,
  });
  return rows.reduce((sum, row) => sum + Number(row.NextOffset), 0);
}

/** @returns records in a topic, as the broker counts them */
export async function produced(brokers: readonly string[], topic: string): Promise<number> {
  const admin = kafkajsClient({ clientId: 'penstock-demo', brokers: [...brokers] }).admin();
  await admin.connect();
  try {
    const offsets = await admin.fetchTopicOffsets(topic);
    return offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  } finally {
    await admin.disconnect();
  }
}

/** Pub/Sub events that a pipeline has taken. */
export async function received(database: Database, pipeline: string): Promise<number> {
  const [row] = await query(database, 'SELECT COUNT(*) AS n FROM PenstockReceipts WHERE Pipeline = @pipeline', {
    pipeline,
  });
  return Number(row?.n ?? 0);
}

/** @returns ids of a feed's epochs, newest first */
export async function epochIds(database: Database, feed: string): Promise<string[]> {
  const sql = 'SELECT EpochId FROM PenstockEpochs WHERE Feed = @feed ORDER BY PlannedAt DESC';
  return (await query(database, sql, { feed })).map((row) => String(row.EpochId));
}

/** What a trainer says of an epoch; the parts that are shown. */
export interface TrainerProgress {
  readonly state: string;
  readonly batches: number;
  readonly rows: number;
  readonly rowsSeenOnce: number;
  readonly passes: number;
  readonly steps: number;
  readonly position: { readonly pass: number; readonly batch: number };
  readonly error?: string;
  readonly training: {
    readonly firstLoss: number | null;
    readonly lastLoss: number | null;
    readonly losses: readonly { readonly step: number; readonly loss: number }[];
    readonly auc: number | null;
    readonly baselineAuc: number | null;
  };
}

/** @returns undefined while the trainer does not know the epoch */
export async function trainerProgress(
  url: string,
  epoch: string,
  authorization: string,
): Promise<TrainerProgress | undefined> {
  const answer = await fetch(`${url}/v1/epochs/${encodeURIComponent(epoch)}`, {
    headers: { authorization },
    signal: AbortSignal.timeout(TRAINER_TIMEOUT_MS),
  });
  if (answer.status === 404) return undefined;
  if (!answer.ok) throw new Error(`GET ${url}/v1/epochs/${epoch} answered ${answer.status}: ${await answer.text()}`);
  // The trainer's contract; what is read of it is what the interface above names.
  return (await answer.json()) as TrainerProgress;
}
