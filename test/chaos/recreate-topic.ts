import type { Load } from './load.ts';
import { readCheckpoints } from './read-history.ts';
import type { SinkRig } from './sink-rig.ts';
import { becomesTrue } from './wait-until.ts';

const END_TIMEOUT_MS = 120_000;

/**
 * Deletes the topic, creates it again with new records in it, and starts a sink, which must refuse it.
 *
 * @returns what the sink did instead; undefined when it ended as it must, naming the way out, and wrote nothing
 */
export async function refuseRecreated(rig: SinkRig, load: Load): Promise<string | undefined> {
  await rig.recreateTopic();
  await load.send(rig.partitions * 10);
  const before = await places(rig);
  const sink = rig.startSink();
  let code: unknown;
  void sink.ended.then((end) => {
    code = end;
  });
  if (!(await becomesTrue(() => code !== undefined, END_TIMEOUT_MS))) return 'a sink went on with a recreated topic';
  const printed = sink.lastLines().join('\n');
  if (code !== 1) return `a sink ended with ${String(code)} at a recreated topic:\n${printed}`;
  for (const word of ['TOPIC_RECREATED', 'penstock checkpoints accept']) {
    if (!printed.includes(word)) return `a sink refused a recreated topic without naming ${word}:\n${printed}`;
  }
  const after = await places(rig);
  return after === before ? undefined : `a sink moved its checkpoints over a recreated topic: ${before} to ${after}`;
}

async function places(rig: SinkRig): Promise<string> {
  const checkpoints = [...(await readCheckpoints(rig.database))].map(([at, { nextOffset }]) => `${at} ${nextOffset}`);
  return checkpoints.sort().join(', ');
}
