import { recordMask } from '../../../shared/model/access/mask-record.ts';
import type { Declaration } from '../../../shared/model/config/declaration.ts';
import type { Sources } from '../sources/sources.ts';
import { viewApproval } from './approval-view.ts';
import { newestDeadLetters, viewDeadLetter } from './dead-letters-view.ts';
import { viewDeeds } from './deeds-view.ts';
import { summarizeEpoch, viewEpoch } from './epoch-view.ts';
import { viewModel } from './model-view.ts';
import { findNeeds, type NeedFacts } from './needs.ts';
import { viewPipeline } from './pipeline-view.ts';
import { viewSecrets } from './secret-view.ts';
import { countBroken, viewStages } from './stages.ts';
import type { DeadLetters, Health, Overview, PipelineView } from './view-model.ts';
import { quoteForShell, sayCount, sayMany, sayNumber, sayShare } from './words.ts';

/** Letters that the page lists. */
export const maxListedDeadLetters = 50;

const worstFirst: Readonly<Record<Health, number>> = { bad: 0, warn: 1, unknown: 2, ok: 3, idle: 4 };

/** Makes the whole page's content of what was read: pure, so that the same sources always make the same page. */
export function viewOverview(sources: Sources): Overview {
  const { declaration, asOfMs: nowMs } = sources;
  const pipelines = viewPipelines(sources);
  const [newest] = sources.epochs;
  const epoch = newest ? viewEpoch(newest, sources.shards, { declaration, nowMs }) : null;
  const epochs = sources.epochs.map((row) => summarizeEpoch(row, declaration));
  const hasTrainer = newest !== undefined && declaration.feeds[newest.feed]?.trainer !== undefined;
  const model = newest && hasTrainer ? viewModel(newest.id, sources.trainer, sources.stepsPerSecond) : null;
  const approvals = sources.approvals.map((approval) => viewApproval(approval, nowMs));
  const facts = {
    declaration,
    pipelines,
    epoch,
    epochs,
    model,
    deadLetters: viewDeadLetters(sources),
    approvals,
    secrets: viewSecrets(sources),
    nowMs,
  };
  const needs = findNeeds(facts);
  return {
    asOf: new Date(nowMs).toISOString(),
    database: declaration.spanner.database,
    verdict: decideVerdict(facts, needs.length, needs[0]?.health),
    stages: viewStages(facts),
    needs,
    pipelines,
    epoch,
    epochs,
    model,
    deadLetters: facts.deadLetters,
    approvals: facts.approvals,
    secrets: facts.secrets,
    deeds: viewDeeds(sources),
    firstSteps: hasStarted(facts) ? [] : firstSteps(declaration),
  };
}

function viewPipelines({ declaration, pipelines, lagHistory, asOfMs }: Sources): PipelineView[] {
  return Object.values(declaration.pipelines)
    .flatMap((pipeline) => {
      const source = pipelines.get(pipeline.name);
      return source ? [viewPipeline(pipeline, source, lagHistory.get(pipeline.name) ?? [], asOfMs)] : [];
    })
    .sort((a, b) => worstFirst[a.health] - worstFirst[b.health] || (b.lagMs ?? 0) - (a.lagMs ?? 0));
}

function viewDeadLetters({ declaration, pipelines, deadLetterHeads }: Sources): DeadLetters {
  const all = [...pipelines.values()].flatMap(({ deadLetters }) => deadLetters);
  const newest = newestDeadLetters(all, maxListedDeadLetters);
  return {
    total: all.filter(({ redriven }) => !redriven).length,
    isMore: [...pipelines.values()].some(({ deadLettersAreMore }) => deadLettersAreMore),
    newest: newest.map((letter) =>
      viewDeadLetter(
        letter,
        deadLetterHeads.find(({ pipeline, id }) => pipeline === letter.pipeline && id === letter.id),
        recordMask(declaration, letter.pipeline),
      ),
    ),
  };
}

function hasStarted({ pipelines, epochs, deadLetters }: NeedFacts): boolean {
  return epochs.length > 0 || deadLetters.total > 0 || pipelines.some(hasRun);
}

function hasRun({ checkedOffsets, kind, state }: PipelineView): boolean {
  return kind === 'kafka' ? checkedOffsets !== '0' : state !== 'idle';
}

function firstSteps(declaration: Declaration): Overview['firstSteps'] {
  const pipelines = Object.values(declaration.pipelines);
  const feed = Object.keys(declaration.feeds)[0];
  if (pipelines.length === 0) {
    return [{ text: 'Declare a pipeline in penstock.yaml, then check it.', command: 'npx penstock check' }];
  }
  return [
    { text: 'See that the declaration, the brokers and the tables agree.', command: 'npx penstock check' },
    { text: 'Let events become rows.', command: 'npx penstock run kafka-sink' },
    ...(feed === undefined
      ? []
      : [
          {
            text: 'Then feed a snapshot of them to the model.',
            command: `npx penstock epoch start ${quoteForShell(feed)} --wait`,
          },
        ]),
  ];
}

function decideVerdict(facts: NeedFacts, needCount: number, worst: Health | undefined): Overview['verdict'] {
  const { lost, doubled, checked } = countBroken(facts.pipelines);
  if (!hasStarted(facts) && needCount === 0) {
    return { health: 'idle', title: 'Ready. Nothing has started yet.', detail: describeDeclared(facts) };
  }
  const need =
    needCount === 1
      ? 'One thing needs you.'
      : `${needCount === 0 ? 'Nothing' : sayNumber(needCount)}${needCount === 0 ? ' needs' : ' things need'} you.`;
  const loss = sayLossOf(lost, doubled, checked);
  return { health: worst ?? 'ok', title: `${need}${loss}`, detail: describeWell(facts) };
}

function sayLossOf(lost: bigint, doubled: bigint, checked: bigint): string {
  if (lost > 0n) return ` ${sayMany(lost, 'record is lost', 'records are lost')}.`;
  if (doubled > 0n) return ` ${sayMany(doubled, 'record counts twice', 'records count twice')}.`;
  return checked > 0n ? ' Nothing is lost.' : '';
}

function describeDeclared({ declaration }: NeedFacts): string {
  const pipelines = Object.keys(declaration.pipelines).length;
  const feeds = Object.keys(declaration.feeds).length;
  return `${sayMany(pipelines, 'pipeline')} and ${sayMany(feeds, 'feed')} are declared.`;
}

function describeWell({ pipelines, epoch, model }: NeedFacts): string {
  const parts = describePipelines(pipelines);
  if (epoch) parts.push(describeEpoch(epoch.state, epoch.share));
  if (model) parts.push(describeModel(model.state));
  const text = parts.join(', ');
  return text === '' ? '' : `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function describePipelines(pipelines: readonly PipelineView[]): string[] {
  const well = pipelines.filter(({ health }) => health === 'ok' || health === 'idle').length;
  if (pipelines.length === 0) return [];
  if (pipelines.length === 1) return [well === 1 ? 'the pipeline is well' : 'the pipeline is not well'];
  if (well === pipelines.length) return [`all ${sayCount(well)} pipelines are well`];
  return [`${sayCount(well)} of ${sayCount(pipelines.length)} pipelines ${well === 1 ? 'is' : 'are'} well`];
}

function describeEpoch(state: string, share: number): string {
  if (state === 'delivered') return 'the epoch is delivered';
  return state === 'failed' ? 'the epoch failed' : `the epoch is ${sayShare(share)} read`;
}

function describeModel(state: string): string {
  const words: Readonly<Record<string, string>> = {
    receiving: 'the trainer takes batches',
    training: 'the model is fed',
    trained: 'the model is trained',
    failed: 'the training failed',
  };
  return words[state] ?? 'the trainer is silent';
}
