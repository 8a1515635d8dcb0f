import { topicPipelines } from './history.ts';
import type { Load } from './load.ts';
import { readCheckpoints } from './read-history.ts';
import type { SinkRig } from './sink-rig.ts';
import type { Progress } from './wait-until.ts';

/** Whether every record has been passed by every pipeline, and every message has its receipt; and how far they are. */
export async function catchingUp(rig: SinkRig, load: Load): Promise<Progress> {
  const checkpoints = await readCheckpoints(rig.database);
  const isPassed = topicPipelines.every((pipeline) =>
    load.last().every((offset, partition) => (checkpoints.get(`${pipeline}/${partition}`)?.nextOffset ?? 0) > offset),
  );
  const offsets = [...checkpoints].map(([at, { nextOffset }]) => `${at} ${nextOffset}`).sort();
  const state = `offsets ${offsets.join(', ')}`;
  if (!isPassed) return { isDone: false, state };
  const [receipts] = await rig.database
    .table('PenstockReceipts')
    .read({ keySet: { all: true }, columns: ['EventId'], json: true });
  return {
    isDone: receipts.length >= load.published.size,
    state: `${state}; ${receipts.length} receipts of ${load.published.size} messages`,
  };
}

/** Whether nothing is left to do. */
export async function isCaughtUp(rig: SinkRig, load: Load): Promise<boolean> {
  const { isDone } = await catchingUp(rig, load);
  return isDone;
}
