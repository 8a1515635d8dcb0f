import type { CompiledPipeline } from '../../../model/events/compile-pipeline.ts';
import type { SpannerChannel } from '../channel.ts';
import {
  countDeadLetters,
  type DeadLetterFilter,
  type DeadLetterSummary,
  listDeadLetters,
} from './dead-letter-store.ts';
import { type RedriveOptions, type RedriveOutcome, redriveDeadLetters } from './redrive-dead-letters.ts';

const PAGE_LETTERS = 1_000;
const GROUP_LETTERS = 100;
const GROUP_BYTES = 4 * 1024 * 1024;

/** One letter that was tried, and how far the whole has come. */
export interface RedriveStep {
  readonly letter: DeadLetterSummary;
  readonly result: RedriveOutcome;
  readonly doneCount: number;
  /** Letters that were open at the start. */
  readonly totalCount: number;
}

/**
 * Redrives every open letter that the filter means, in the order in which they were set aside: earlier offsets of a partition
 * before later ones. Those that are set aside meanwhile are left for the next time.
 *
 * Letters are read in pages and committed in groups, so that neither memory nor a transaction grows with their number.
 */
export async function* redriveAll(
  channel: SpannerChannel,
  compiled: CompiledPipeline,
  chosen: Pick<DeadLetterFilter, 'class' | 'sinceMs'>,
  options: RedriveOptions,
): AsyncGenerator<RedriveStep> {
  const open: DeadLetterFilter = { ...chosen, pipeline: compiled.pipeline.name, isOpen: true };
  const { count: totalCount, newestAt } = await countDeadLetters(channel, open);
  if (newestAt === undefined) return;
  let doneCount = 0;
  let after: DeadLetterSummary | undefined;
  for (;;) {
    const filter = { ...open, until: newestAt };
    const page = await listDeadLetters(channel, filter, { order: 'oldest', limit: PAGE_LETTERS, after });
    for (let at = 0; at < page.length; ) {
      const group = groupFrom(page, at);
      const results = await redriveDeadLetters(
        channel,
        compiled,
        group.map(({ id }) => id),
        options,
      );
      for (const [place, result] of results.entries()) {
        const letter = group[place];
        if (!letter) continue;
        doneCount += 1;
        yield { letter, result, doneCount, totalCount };
      }
      at += results.length;
    }
    after = page.at(-1);
    if (page.length < PAGE_LETTERS) return;
  }
}

/** At least one letter, and no more than a transaction should read. */
function groupFrom(page: readonly DeadLetterSummary[], from: number): readonly DeadLetterSummary[] {
  let bytes = page[from]?.valueBytes ?? 0;
  let to = from + 1;
  for (; to < page.length && to - from < GROUP_LETTERS; to++) {
    bytes += page[to]?.valueBytes ?? 0;
    if (bytes > GROUP_BYTES) break;
  }
  return page.slice(from, to);
}
