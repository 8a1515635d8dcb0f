import { topicPipelines } from './history.ts';
import type { Load } from './load.ts';
import { readCheckpoints } from './read-history.ts';
import type { SinkRig } from './sink-rig.ts';

/** Whether every record has been passed by every pipeline, and every message has its receipt. */
export async function isCaughtUp(rig: SinkRig, load: Load): Promise<boolean> {
  const checkpoints = await readCheckpoints(rig.database);
  const passed = topicPipelines.every((pipeline) =>
    load.last().every((offset, partition) => (checkpoints.get(`${pipeline}/${partition}`)?.nextOffset ?? 0) > offset),
  );
  if (!passed) return false;
  const [receipts] = await rig.database
    .table('PenstockReceipts')
    .read({ keySet: { all: true }, columns: ['EventId'], json: true });
  return receipts.length >= load.published.size;
}
