import type { Declaration } from '../../../shared/model/config/declaration.ts';
import type { ApprovalView } from './approval-view.ts';
import type {
  DeadLetters,
  EpochSummary,
  EpochView,
  ModelView,
  Need,
  PipelineView,
  RotationView,
  SecretView,
} from './view-model.ts';
import { quoteForShell, sayAge, sayCount, sayDuration, sayMany, sayMoment } from './words.ts';

/** An epoch may be this late before anyone is told: schedulers are not exact. */
const LATE_GRACE_MS = 120_000;
const MAX_NEEDS = 20;
const MAX_NAMED_APPROVALS = 3;

/** What the list is made of. */
export interface NeedFacts {
  readonly declaration: Declaration;
  readonly pipelines: readonly PipelineView[];
  readonly epoch: EpochView | null;
  readonly epochs: readonly EpochSummary[];
  readonly model: ModelView | null;
  readonly deadLetters: DeadLetters;
  readonly approvals: readonly ApprovalView[];
  readonly secrets: readonly SecretView[];
  readonly nowMs: number;
}

/** Everything that waits for a person, worst first, each with the command to run. */
export function findNeeds(facts: NeedFacts): Need[] {
  const needs = [
    ...facts.pipelines.flatMap(pipelineNeeds),
    ...kafkaNeeds(facts.pipelines),
    ...epochNeeds(facts),
    ...modelNeeds(facts),
    ...deadLetterNeeds(facts),
    ...approvalNeeds(facts),
    ...facts.secrets.flatMap((secret) => secretNeeds(secret, facts.nowMs)),
  ];
  const rank = { bad: 0, warn: 1 };
  return needs.sort((a, b) => rank[a.health] - rank[b.health]).slice(0, MAX_NEEDS);
}

/** By how much a feed's next epoch is overdue; 0 when it is not, or has no schedule. */
export function lateByMs(everyMs: number | undefined, newest: EpochSummary | undefined, nowMs: number): number {
  if (everyMs === undefined || !newest) return 0;
  const overdueMs = nowMs - newest.plannedAtMs - everyMs;
  return overdueMs > LATE_GRACE_MS ? overdueMs : 0;
}

function pipelineNeeds(pipeline: PipelineView): Need[] {
  const about = { id: `pipeline-${pipeline.name}`, href: '#pipelines' };
  const run = `npx penstock run kafka-sink --pipeline ${quoteForShell(pipeline.name)}`;
  switch (pipeline.state) {
    case 'losing':
      return [{ ...about, health: 'bad', ...describeBreak(pipeline) }];
    case 'stalled':
      return [
        {
          ...about,
          health: 'warn',
          title: `${pipeline.name} is ${pipeline.stateText.toLowerCase()}`,
          detail: `${sayMany(pipeline.lagRecords ?? 0, 'record waits', 'records wait')} and nothing was committed. Is its worker running?`,
          command: run,
        },
      ];
    case 'falling-behind':
      return [
        {
          ...about,
          health: 'warn',
          title: `${pipeline.name} falls behind by ${sayMany(Math.round(pipeline.lagGrowthPerMinute ?? 0), 'record')} each minute`,
          detail: `${sayMany(pipeline.lagRecords ?? 0, 'record waits', 'records wait')}; the oldest for ${sayDuration(pipeline.lagMs ?? 0)}. A second worker takes over some of its partitions.`,
          command: run,
        },
      ];
    case 'not-started':
      return [
        {
          ...about,
          health: 'warn',
          title: `${pipeline.name} has not started`,
          detail: `${sayMany(pipeline.lagRecords ?? 0, 'record waits', 'records wait')} in the topic, and no worker has committed any.`,
          command: run,
        },
      ];
    default:
      return [];
  }
}

function describeBreak({ name, lost, doubled, partitions }: PipelineView): Pick<Need, 'title' | 'detail' | 'command'> {
  const broken = partitions.find(({ breaks }) => breaks.length > 0);
  const first = broken?.breaks[0];
  const where = first
    ? `${broken.topic}, partition ${broken.partition}: offsets ${first.fromOffset} to ${first.toOffset} ${first.kind === 'gap' ? 'are in no commit' : 'are in more than one commit'}. `
    : '';
  return {
    title: `${name}: ${sayCount(BigInt(lost))} lost, ${sayCount(BigInt(doubled))} doubled`,
    detail: `${where}Stop the pipeline before it goes further, and look at the commits around the break.`,
    command: `SELECT * FROM PenstockLineage WHERE Pipeline = ${JSON.stringify(name)} ORDER BY PartitionId, FromOffset`,
  };
}

function kafkaNeeds(pipelines: readonly PipelineView[]): Need[] {
  const unknown = pipelines.filter(({ state }) => state === 'unknown');
  const first = unknown[0];
  if (!first) return [];
  const others = unknown.length > 1 ? ` and ${sayMany(unknown.length - 1, 'other')}` : '';
  return [
    {
      id: 'kafka',
      health: 'warn',
      title: 'Kafka does not answer',
      detail: `The lag of ${first.name}${others} is not known: the brokers are down, or the topic does not exist.`,
      command: 'npx penstock check',
      href: '#pipelines',
    },
  ];
}

function epochNeeds({ declaration, epoch, epochs, nowMs }: NeedFacts): Need[] {
  const needs: Need[] = [];
  if (epoch && (epoch.state === 'failed' || epoch.shards.failed > 0)) needs.push(failedEpoch(epoch));
  for (const feed of Object.values(declaration.feeds)) {
    const newest = epochs.find((summary) => summary.feed === feed.name);
    if (newest && newest.id !== epoch?.id && newest.state === 'failed') needs.push(failedSummary(newest));
    const lateMs = lateByMs(feed.schedule?.everyMs, newest, nowMs);
    if (lateMs > 0) {
      needs.push({
        id: `late-${feed.name}`,
        health: 'warn',
        title: `The epoch of ${feed.name} is ${sayDuration(lateMs)} late`,
        detail: 'It was not planned when its schedule said. Is the scheduler running?',
        command: `npx penstock epoch start ${quoteForShell(feed.name)}`,
        href: '#epochs',
      });
    }
  }
  return needs;
}

function failedEpoch(epoch: EpochView): Need {
  const first = epoch.failures[0];
  const shards = sayMany(epoch.shards.failed, 'shard');
  return {
    id: `epoch-${epoch.id}`,
    health: 'bad',
    title: epoch.shards.failed > 0 ? `${shards} of epoch ${epoch.id} failed` : `Epoch ${epoch.id} failed`,
    detail: first ? `Shard ${first.shard}: ${first.error}` : (epoch.error ?? 'No reason was recorded.'),
    command: `npx penstock epoch show ${quoteForShell(epoch.id)}`,
    href: '#epochs',
  };
}

function failedSummary({ id, error }: EpochSummary): Need {
  return {
    id: `epoch-${id}`,
    health: 'bad',
    title: `Epoch ${id} failed`,
    detail: error ?? 'No reason was recorded.',
    command: `npx penstock epoch show ${quoteForShell(id)}`,
    href: '#epochs',
  };
}

function modelNeeds({ model, epoch }: NeedFacts): Need[] {
  if (!model) return [];
  const command = `npx penstock epoch show ${quoteForShell(model.epoch)}`;
  if (model.state === 'failed') {
    const detail = model.error ?? 'The trainer gave no reason.';
    return [{ id: 'model', health: 'bad', title: 'The training failed', detail, command, href: '#model' }];
  }
  const isAwaited = epoch?.state === 'planned' || epoch?.state === 'reading';
  if (model.reachable || !isAwaited) return [];
  return [
    {
      id: 'model',
      health: 'warn',
      title: 'The trainer does not answer',
      detail: 'An epoch is being read for it. Its batches wait until it takes them.',
      command,
      href: '#model',
    },
  ];
}

function deadLetterNeeds({ deadLetters, pipelines }: NeedFacts): Need[] {
  if (deadLetters.total === 0) return [];
  const more = deadLetters.isMore ? ' or more' : '';
  const worst = [...pipelines].sort((a, b) => b.setAside - a.setAside)[0];
  const newest = deadLetters.newest[0];
  return [
    {
      id: 'dead-letters',
      health: 'warn',
      title: `${sayMany(deadLetters.total, 'record')}${more} set aside`,
      detail: `${worst ? `Most of them by ${worst.name}. ` : ''}${newest ? `The newest: ${newest.reason}` : ''}`,
      command: 'npx penstock dead-letters list',
      href: '#dead-letters',
    },
  ];
}

/** The first to end first; where many wait, the rest are one line. */
function approvalNeeds({ approvals }: NeedFacts): Need[] {
  const waiting = approvals.filter(({ state }) => state === 'requested').sort((a, b) => a.expiresAtMs - b.expiresAtMs);
  const named = waiting.slice(0, MAX_NAMED_APPROVALS).map(approvalNeed);
  const rest = waiting.length - named.length;
  if (rest === 0) return named;
  const more: Need = {
    id: 'approvals',
    href: '#approvals',
    health: 'warn',
    title: `${sayMany(rest, 'further request waits', 'further requests wait')} for a second person`,
    detail: 'Somebody else than who asked has to look at each and say yes or no.',
    command: 'npx penstock approvals list',
  };
  return [...named, more];
}

function approvalNeed({ id, action, resource, requestedBy, expiresAtMs }: ApprovalView): Need {
  return {
    id: `approval-${id}`,
    href: `/approvals/${encodeURIComponent(id)}`,
    health: 'warn',
    isAsked: true,
    title: `Approve or deny: ${action} ${resource}`,
    detail: `Asked by ${requestedBy}, stands until ${sayMoment(expiresAtMs)}. Somebody else has to look at it.`,
    command: `npx penstock approvals show ${quoteForShell(id)}`,
  };
}

function secretNeeds({ name, isOverdue, nextAtMs, result, last, command }: SecretView, nowMs: number): Need[] {
  if (command === null || (!isOverdue && result !== 'failed')) return [];
  const late = isOverdue && nextAtMs !== null ? `${sayAge(nowMs - nextAtMs)} overdue` : '';
  const about = result === 'failed' || result === 'held-up' ? sayFailure(last) : '';
  return [
    {
      id: `secret-${name}`,
      health: 'bad',
      title: `Secret ${name} ${late === '' ? 'was not rotated' : `is ${late}`}`,
      detail: about === '' ? 'Does rotate-secrets run, and does its scheduler? What is in use goes on working.' : about,
      command,
      href: '#secrets',
    },
  ];
}

function sayFailure(last: RotationView | null): string {
  const step = last?.failedStep ?? (last?.step === 'failed' ? undefined : last?.step);
  return `${step === undefined ? '' : `At step ${step}: `}${last?.reason ?? 'No reason was recorded.'}`;
}
