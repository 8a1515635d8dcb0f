import { openSpannerChannel, type SpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import {
  type CommitOrigin,
  findCommitOf,
  findCommitsAt,
  type LineageCommit,
} from '../../../shared/adapters/spanner/ingest/lineage-store.ts';
import { ConfigError, PenstockError } from '../../../shared/base/errors.ts';
import type { Declaration, Pipeline } from '../../../shared/model/config/declaration.ts';
import { readTimestamp } from '../../../shared/model/events/values/timestamp.ts';
import type { Output } from '../output.ts';
import { requirePipelineView } from '../own-authority.ts';
import { readConfig } from '../read-config.ts';

/** What `penstock lineage` takes to name commits: a row's commit timestamp, or a record's coordinates. */
export interface CommitLineageOptions {
  readonly config: string;
  readonly pipeline?: string;
  readonly table?: string;
  readonly committedAt?: string;
  readonly scan?: boolean;
  readonly topic?: string;
  readonly partition?: number;
  readonly offset?: string;
}

/** Names the offsets that made a row's commit timestamp, or the commit that took an offset. */
export async function commitLineage(options: CommitLineageOptions, output: Output): Promise<void> {
  const byTime = options.committedAt !== undefined;
  if (byTime === (options.topic !== undefined)) {
    throw bad('lineage', 'is asked for nothing, or for two things', 'Give EPOCH SHARD SEQ, --committed-at, or --topic');
  }
  const { declaration } = await readConfig(options.config, ['spanner']);
  await requirePipelineView(declaration, options.pipeline);
  const channel = openSpannerChannel(declaration.spanner.database, process.env);
  try {
    const found = byTime
      ? await tellTime(channel, declaration, options, output)
      : await tellOffset(channel, declaration, options, output);
    if (!found) throw nothingFound(options);
  } finally {
    channel.close();
  }
}

async function tellTime(
  channel: SpannerChannel,
  declaration: Declaration,
  { committedAt = '', scan = false, table, pipeline }: CommitLineageOptions,
  output: Output,
): Promise<boolean> {
  const at = readTimestamp(committedAt);
  if (at === undefined) {
    throw bad('--committed-at', `is ${JSON.stringify(committedAt)}, no time`, 'Write RFC 3339, as Spanner shows it');
  }
  let isFound = false;
  for (const { name } of pipelinesOf(declaration, { table, pipeline })) {
    const origin = await findCommitsAt(channel, name, { at, scan });
    const { commits, eventIds, deadLetters } = origin;
    if (commits.length + eventIds.length + deadLetters.length === 0) continue;
    isFound = true;
    output.result({ pipeline: name, committedAt: at, ...origin }, wordOrigin(name, at, origin));
  }
  return isFound;
}

async function tellOffset(
  channel: SpannerChannel,
  declaration: Declaration,
  { topic = '', partition = 0, offset = '', pipeline }: CommitLineageOptions,
  output: Output,
): Promise<boolean> {
  if (!/^\d{1,18}$/.test(offset)) {
    throw bad('--offset', `is ${JSON.stringify(offset)}, no offset`, 'Give the record’s offset');
  }
  let isFound = false;
  for (const { name } of pipelinesOf(declaration, { table: undefined, pipeline })) {
    const commit = await findCommitOf(channel, { pipeline: name, topic, partition, offset: BigInt(offset) });
    if (!commit) continue;
    isFound = true;
    output.result(commit, wordCommit(commit));
  }
  return isFound;
}

function pipelinesOf(
  { pipelines }: Declaration,
  { table, pipeline }: { readonly table: string | undefined; readonly pipeline: string | undefined },
): readonly Pipeline[] {
  const chosen = Object.values(pipelines).filter(
    ({ name, targets }) =>
      (pipeline === undefined || name === pipeline) &&
      (table === undefined || targets.some((target) => target.table === table)),
  );
  if (chosen.length > 0) return chosen;
  const names = Object.keys(pipelines).join(', ') || 'none';
  const [path, what] = pipeline === undefined ? ['--table', table] : ['--pipeline', pipeline];
  throw bad(path, `is ${JSON.stringify(what)}, which no pipeline is of`, `The pipelines declared are: ${names}`);
}

function wordOrigin(pipeline: string, at: string, { commits, eventIds, deadLetters }: CommitOrigin): string {
  return [
    `Pipeline ${pipeline} at ${at}`,
    ...commits.map((commit) => `  ${wordCommit(commit)}`),
    ...eventIds.map((id) => `  event ${id}`),
    ...deadLetters.map(({ id, redrivenBy }) => `  dead letter ${id}, redriven by ${redrivenBy ?? '(unknown)'}`),
  ].join('\n');
}

function wordCommit(commit: LineageCommit): string {
  const { pipeline, topic, partition, fromOffset, toOffset, rowCount, skippedCount, deadCount, identity } = commit;
  const counts = `${rowCount} rows, ${skippedCount} skipped, ${deadCount} set aside`;
  const last = BigInt(toOffset) - 1n;
  return `${topic}/${partition} offsets ${fromOffset} to ${last} of ${pipeline}: ${counts}, committed ${commit.committedAt} by ${identity} under fence ${commit.fence}`;
}

function nothingFound({ committedAt, topic, partition, offset, scan }: CommitLineageOptions): PenstockError {
  const what = committedAt ?? `${topic}/${partition ?? 0}/${offset}`;
  return new PenstockError(`No commit of ${what} is in PenstockLineage`, {
    code: 'NOT_FOUND',
    remedy:
      committedAt === undefined || scan === true
        ? 'It was not committed, or its lineage was deleted'
        : 'It was not committed by a pipeline; where the topic was once recreated, try --scan',
    retryable: false,
  });
}

function bad(path: string, message: string, remedy: string): ConfigError {
  return new ConfigError([{ path, message, remedy }]);
}
