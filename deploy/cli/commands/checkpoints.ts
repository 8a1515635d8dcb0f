import { openKafkaDriver } from '../../../shared/adapters/kafka/open-driver.ts';
import { openSpannerChannel, type SpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import {
  type AcceptStep,
  acceptTopic,
  countWaitingLetters,
  type FoundTopic,
  type ListedCheckpoint,
  listCheckpoints as list,
  planAcceptance,
} from '../../../shared/adapters/spanner/ingest/checkpoint-store.ts';
import { audit, auditAttempts } from '../../../shared/base/audit.ts';
import { ConfigError, messageOf, PenstockError } from '../../../shared/base/errors.ts';
import { jsonLog, type Log } from '../../../shared/base/log.ts';
import { openCredentialSources } from '../../../shared/connect/credential-sources.ts';
import { kafkaAccess } from '../../../shared/connect/kafka-access.ts';
import type { GuardedAct } from '../../../shared/connect/second-person.ts';
import type { Declaration, KafkaConnection } from '../../../shared/model/config/declaration.ts';
import type { Output } from '../output.ts';
import { doOwn, openOwnAuthority, requirePipelineView } from '../own-authority.ts';
import { ownIdentity } from '../own-identity.ts';
import { readConfig } from '../read-config.ts';

/** What `penstock checkpoints accept` takes. */
export interface AcceptOptions {
  readonly config: string;
  readonly pipeline: string;
  readonly topic: string;
  /** Without it, what would be done is printed and nothing is changed. */
  readonly yes?: boolean;
}

/** Prints where the partitions of a pipeline stand, or of all pipelines. */
export async function listCheckpoints(
  options: { readonly config: string; readonly pipeline?: string },
  output: Output,
): Promise<void> {
  const { declaration } = await readConfig(options.config, ['spanner']);
  await requirePipelineView(declaration, options.pipeline);
  const channel = openSpannerChannel(declaration.spanner.database, process.env);
  try {
    const checkpoints = await list(channel, { pipeline: options.pipeline });
    if (checkpoints.length === 0 && !output.json) output.result([], 'No partition was taken yet.');
    for (const checkpoint of checkpoints) output.result(checkpoint, lineOf(checkpoint));
  } finally {
    channel.close();
  }
}

/**
 * Accepts a topic that was made anew, or whose retention went past the checkpoints: the pipeline reads it from where its log
 * begins now. Exit code 1 when there is something to accept and `--yes` is not given.
 */
export async function acceptCheckpoints(options: AcceptOptions, output: Output): Promise<void> {
  const { declaration } = await readConfig(options.config, ['spanner', 'kafka']);
  const { pipeline, topic } = options;
  const kafka = kafkaOf(declaration, pipeline);
  const { database } = declaration.spanner;
  const log = jsonLog('penstock');
  const own = await openOwnAuthority(declaration, log);
  const by = own?.asker.name ?? (await ownIdentity(process.env));
  const channel = openSpannerChannel(database, process.env, {
    onAttempt: auditAttempts(log, 'spanner.connect', by),
  });
  try {
    const held = await list(channel, { pipeline, topic });
    if (held.length === 0) throw nothingHeld(pipeline, topic);
    const found = await describeTopic(kafka, topic, { database, log, by });
    const steps = planAcceptance(held, found);
    if (steps.length === 0) {
      output.result({ pipeline, topic, accepted: [] }, 'Nothing to accept: the topic still has every checkpoint.');
      return;
    }
    if (!options.yes) {
      own?.require(own.asker, 'view', { type: 'Pipeline', name: pipeline });
      output.result({ pipeline, topic, planned: steps }, linesOf(steps, 'goes', 'is removed'));
      await warn(channel, options, steps, output);
      output.progress('Nothing was changed. Repeat it with --yes to accept.');
      process.exitCode = 1;
      return;
    }
    const act: GuardedAct = {
      action: 'acceptCheckpoint',
      resource: { type: 'Pipeline', name: pipeline },
      content: { topic, topicId: found.topicId, steps: steps.map(contentOf) },
    };
    const accepted = await doOwn(declaration, own, act, () => accept(channel, { pipeline, topic, found, by }, log));
    output.result({ pipeline, topic, accepted }, linesOf(accepted, 'went', 'was removed'));
  } finally {
    channel.close();
  }
}

async function accept(
  channel: SpannerChannel,
  acceptance: Parameters<typeof acceptTopic>[1],
  log: Log,
): Promise<AcceptStep[]> {
  const { pipeline, topic, found, by } = acceptance;
  const entry = { action: 'checkpoint.accept', identity: by, resource: `PenstockCheckpoints/${pipeline}/${topic}` };
  const topicId = found.topicId;
  try {
    const steps = await acceptTopic(channel, acceptance);
    const partitions = steps.map(contentOf);
    audit(log, { ...entry, outcome: 'done', details: { topicId, partitions } });
    return steps;
  } catch (error) {
    audit(log, { ...entry, outcome: 'failed', details: { topicId, reason: messageOf(error) } });
    throw error;
  }
}

function contentOf({ partition, why, fromOffset, toOffset }: AcceptStep) {
  return { partition, why, fromOffset: String(fromOffset), toOffset: toOffset === undefined ? null : String(toOffset) };
}

async function describeTopic(
  kafka: KafkaConnection,
  topic: string,
  { database, log, by }: { readonly database: string; readonly log: Log; readonly by: string },
): Promise<FoundTopic> {
  const audited = (action: string) => auditAttempts(log, action, by);
  const sources = openCredentialSources({ database, log, onAttempt: audited('secret.read') });
  try {
    const access = { ...(await kafkaAccess(kafka, sources)), onAttempt: audited('kafka.connect') };
    const driver = await openKafkaDriver({ driver: kafka.driver, access, clientId: 'penstock', log });
    try {
      const found = await driver.describeTopic(topic);
      if (!found) throw noTopic(topic);
      return found;
    } finally {
      await driver.close();
    }
  } finally {
    await sources.close();
  }
}

/** What people should know before they say yes. */
async function warn(
  channel: SpannerChannel,
  { pipeline, topic }: AcceptOptions,
  steps: readonly AcceptStep[],
  output: Output,
): Promise<void> {
  const lostCount = steps.reduce(
    (sum, { why, fromOffset, toOffset }) => (why === 'gap' ? sum + (toOffset ?? fromOffset) - fromOffset : sum),
    0n,
  );
  if (lostCount > 0n) output.progress(`${lostCount} offsets were deleted by retention and are never read.`);
  if (steps.every(({ why }) => why === 'gap')) return;
  output.progress('All records of the new topic are read: counters go on from what they hold.');
  const letterCount = await countWaitingLetters(channel, pipeline, topic);
  if (letterCount === 0) return;
  output.progress(
    `${letterCount} dead letters of the old topic wait; one of the new topic with the same offset replaces them: redrive them before.`,
  );
}

function kafkaOf(declaration: Declaration, name: string): KafkaConnection {
  const pipeline = declaration.pipelines[name];
  const names = Object.values(declaration.pipelines).flatMap((one) => (one.source.kind === 'kafka' ? [one.name] : []));
  const remedy = `Name one of: ${names.join(', ') || 'none is declared'}`;
  const path = `pipelines.${name}`;
  if (!pipeline) throw new ConfigError([{ path, message: 'is not declared', remedy }]);
  if (pipeline.source.kind !== 'kafka') {
    throw new ConfigError([{ path, message: 'takes events of Pub/Sub, which have no checkpoints', remedy }]);
  }
  if (declaration.kafka) return declaration.kafka;
  throw new ConfigError([{ path: 'kafka.brokers', message: 'is not declared', remedy: 'Name the brokers' }]);
}

function nothingHeld(pipeline: string, topic: string): PenstockError {
  return new PenstockError(`Pipeline ${pipeline} has no checkpoint of topic ${topic}`, {
    code: 'NOT_FOUND',
    remedy: 'List them: npx penstock checkpoints list',
    retryable: false,
  });
}

function noTopic(topic: string): PenstockError {
  return new PenstockError(`The brokers have no topic ${topic}`, {
    code: 'NOT_FOUND',
    remedy: 'Create it first: its checkpoints are moved to the beginning of its log',
    retryable: false,
  });
}

function linesOf(steps: readonly AcceptStep[], goes: string, isRemoved: string): string {
  const words = { recreated: 'the topic was made anew', gap: 'retention deleted what was not read', removed: '' };
  return steps
    .map(({ partition, why, fromOffset, toOffset }) =>
      toOffset === undefined
        ? `partition ${partition}: its checkpoint at ${fromOffset} ${isRemoved}, since the topic has no such partition now`
        : `partition ${partition}: its checkpoint ${goes} from ${fromOffset} to ${toOffset}, since ${words[why]}`,
    )
    .join('\n');
}

function lineOf(checkpoint: ListedCheckpoint): string {
  const { pipeline, topic, partition, nextOffset, highWatermark, fence, owner, updatedAt, topicId } = checkpoint;
  return `${pipeline}  ${topic}/${partition}  next ${nextOffset} of ${highWatermark}  fence ${fence} of ${owner}  ${updatedAt}  topic id ${topicId}`;
}
