import type { Database } from '@google-cloud/spanner';
import { openEventsCheck } from './events-check.ts';
import { openExpectation } from './expected-history.ts';
import { type Damage, findDamages } from './history-checker.ts';
import type { Load } from './load.ts';
import { readEvents, readHistory } from './read-history.ts';
import { readTopic } from './read-topic.ts';

/** Damages, and how many records and messages were held against Spanner. */
export interface SinkVerdict {
  readonly damages: readonly Damage[];
  readonly recordsChecked: number;
  readonly deadLetters: number;
}

/**
 * Reads the topic again from its beginning, computes from its records what every table must hold, and compares.
 *
 * Of each record it keeps two numbers and a token; of each row of `Events` a page is in memory at a time.
 */
export async function checkSinks(
  rig: { readonly database: Database; readonly brokers: readonly string[] },
  load: Load,
): Promise<SinkVerdict> {
  const { topic, published } = load;
  const last = load.last();
  const expectation = openExpectation(topic);
  await readTopic(rig.brokers, { topic, last }, expectation.add);
  for (const [id, record] of published) expectation.publish(id, record);
  const expected = expectation.history();
  const events = openEventsCheck(expected);
  await readEvents(rig.database, { topic, ends: last.map((offset) => offset + 1) }, events.see);
  return {
    damages: [...events.damages(), ...findDamages(expected, await readHistory(rig.database))],
    recordsChecked: expected.partitions.reduce((sum, { offsets }) => sum + offsets.length, published.size),
    deadLetters: expected.deadLetters.size,
  };
}
