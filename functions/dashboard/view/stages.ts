import { lateByMs, type NeedFacts } from './needs.ts';
import type { ModelView, PipelineView, Stage } from './view-model.ts';
import { sayCount, sayDuration, sayLoss, sayMany, sayRate, sayShare, sayTime } from './words.ts';

const lagging: ReadonlySet<string> = new Set(['falling-behind', 'stalled', 'not-started']);

type Answer = Omit<Stage, 'name' | 'question'>;

/** The way of the data in four stretches, each with the one question that it answers. */
export function viewStages(facts: NeedFacts): Stage[] {
  return [
    { name: 'Events', question: 'Is anything lagging?', ...answerLag(facts.pipelines) },
    { name: 'Spanner', question: 'Lost or doubled?', ...answerLoss(facts) },
    { name: 'Snapshot', question: 'Is the epoch on time?', ...answerEpoch(facts) },
    { name: 'Model', question: 'Is the model fed?', ...answerModel(facts.model) },
  ];
}

/** What the verdict needs to say of records that were lost or doubled. */
export function countBroken(pipelines: readonly PipelineView[]): { lost: bigint; doubled: bigint; checked: bigint } {
  const sum = (pick: (pipeline: PipelineView) => string) =>
    pipelines.reduce((total, pipeline) => total + BigInt(pick(pipeline)), 0n);
  return {
    lost: sum(({ lost }) => lost),
    doubled: sum(({ doubled }) => doubled),
    checked: sum((p) => p.checkedOffsets),
  };
}

function answerLag(pipelines: readonly PipelineView[]): Answer {
  const link = { text: 'Pipelines', href: '#pipelines' };
  const rate = `${sayRate(pipelines.reduce((sum, { rowsPerSecond }) => sum + (rowsPerSecond ?? 0), 0))} /s`;
  const kafka = pipelines.filter(({ kind }) => kind === 'kafka');
  const known = kafka.filter(({ lagMs }) => lagMs !== null);
  const worst = known.toSorted((a, b) => (b.lagMs ?? 0) - (a.lagMs ?? 0))[0];
  if (pipelines.length === 0) {
    return { rate, answer: 'Nothing yet', health: 'idle', detail: 'No pipeline is declared.', link: null };
  }
  if (kafka.length > 0 && !worst) {
    return { rate, answer: 'Not known', health: 'unknown', detail: 'Kafka does not answer.', link };
  }
  if (!worst) {
    const detail = 'Only Pub/Sub pipelines: their backlog is not known here.';
    return { rate, answer: 'Not known', health: 'idle', detail, link };
  }
  const behind = known.filter(({ lagRecords }) => (lagRecords ?? 0) > 0);
  const health = kafka.some(({ state }) => lagging.has(state)) ? 'warn' : 'ok';
  const waiting = known.reduce((sum, { lagRecords }) => sum + (lagRecords ?? 0), 0);
  if (behind.length === 0) return { rate, answer: 'No', health, detail: 'Every record in Kafka is a row.', link };
  const trend = worst.state === 'falling-behind' ? ', and growing' : '';
  const detail = `${worst.name} is furthest behind${trend}. ${sayMany(waiting, 'record waits', 'records wait')} in all.`;
  return { rate, answer: sayDuration(worst.lagMs ?? 0), health, detail, link };
}

function answerLoss({ pipelines, deadLetters }: NeedFacts): Answer {
  const { lost, doubled, checked } = countBroken(pipelines);
  const link =
    deadLetters.total > 0
      ? { text: `${sayCount(deadLetters.total)}${deadLetters.isMore ? '+' : ''} set aside`, href: '#dead-letters' }
      : null;
  const rate = `${sayRate(pipelines.reduce((sum, { rowsPerSecond }) => sum + (rowsPerSecond ?? 0), 0))} rows/s`;
  if (checked === 0n) {
    return { rate, answer: 'Nothing yet', health: 'idle', detail: 'No commit has been recorded.', link };
  }
  const answer = `${sayCount(lost)} and ${sayCount(doubled)}`;
  const whole = lost + doubled === 0n;
  const accounted = `${sayMany(checked, 'record')} accounted for`;
  const detail = whole ? `${accounted}: no gap, no overlap.` : `${accounted}, with breaks between commits.`;
  return { rate, answer, health: whole ? 'ok' : 'bad', detail, link };
}

function answerEpoch({ declaration, epoch, epochs, nowMs }: NeedFacts): Answer {
  if (!epoch) {
    const feeds = Object.keys(declaration.feeds);
    const detail = feeds[0] === undefined ? 'No feed is declared.' : `Start one: npx penstock epoch start ${feeds[0]}`;
    return { rate: '0 rows/s', answer: 'Nothing yet', health: 'idle', detail, link: null };
  }
  const rate = `${sayRate(epoch.rowsPerSecond ?? 0)} rows/s`;
  const link = { text: epoch.feed, href: '#epochs' };
  const late = Math.max(
    0,
    ...Object.values(declaration.feeds).map((feed) =>
      lateByMs(
        feed.schedule?.everyMs,
        epochs.find((summary) => summary.feed === feed.name),
        nowMs,
      ),
    ),
  );
  if (late > 0) {
    return { rate, answer: `${sayDuration(late)} late`, health: 'warn', detail: 'It was not planned in time.', link };
  }
  const time = sayTime(Date.parse(epoch.readTimestamp));
  const shards = `${sayCount(epoch.shards.done)} of ${sayMany(epoch.shardCount, 'shard')}`;
  if (epoch.health === 'bad') {
    const { failed } = epoch.shards;
    const answer = failed > 0 ? `${sayMany(failed, 'shard')} failed` : 'Failed';
    const detail = `${shards} done.`;
    return { rate, answer, health: 'bad', detail, link };
  }
  if (epoch.state === 'delivered') {
    const detail = `${sayMany(epoch.rowCount ?? epoch.rowsDelivered, 'row')} as of ${time}, ${sayMany(epoch.shardCount, 'shard')}.`;
    return { rate, answer: 'Delivered', health: 'ok', detail, link };
  }
  const answer = epoch.remainingMs === null ? 'Started' : `${sayDuration(epoch.remainingMs)} left`;
  return { rate, answer, health: 'ok', detail: `As of ${time}: ${shards} done.`, link };
}

function answerModel(model: ModelView | null): Answer {
  if (!model)
    return { rate: '0 steps/s', answer: 'Nothing yet', health: 'idle', detail: 'No epoch to learn from.', link: null };
  const link = { text: 'Model', href: '#model' };
  const rate = `${sayRate(model.stepsPerSecond ?? 0)} steps/s`;
  if (!model.reachable) {
    return { rate, answer: 'Not known', health: 'unknown', detail: 'The trainer does not answer.', link };
  }
  const evaluation = model.evaluations.at(-1);
  const progress = `Step ${sayCount(model.steps)}${evaluation ? `, held-out loss ${sayLoss(evaluation.loss)}` : ''}.`;
  const auc =
    model.auc === null
      ? ''
      : ` AUC ${sayLoss(model.auc)}${model.baselineAuc === null ? '' : `, base ${sayLoss(model.baselineAuc)}`}.`;
  if (model.state === 'failed') {
    return { rate, answer: 'Failed', health: 'bad', detail: model.error ?? 'The trainer gave no reason.', link };
  }
  if (model.state === 'receiving') {
    const detail = `${sayMany(model.batches, 'batch', 'batches')} taken; it learns when all have come.`;
    return { rate, answer: 'Filling', health: 'ok', detail, link };
  }
  if (model.state === 'trained') return { rate, answer: 'Trained', health: 'ok', detail: `${progress}${auc}`, link };
  return { rate, answer: `Waits ${sayShare(model.waitShare ?? 0)}`, health: 'ok', detail: `${progress}${auc}`, link };
}
