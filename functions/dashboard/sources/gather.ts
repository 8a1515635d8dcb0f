import type { EndOffsets } from '../../../shared/adapters/kafka/end-offsets.ts';
import type {
  CheckpointRow,
  DeadLetterHead,
  DeadLetterRow,
  EpochRow,
  OverviewReader,
  OverviewStore,
  ShardRow,
} from '../../../shared/adapters/spanner/overview-store.ts';
import type { Clock } from '../../../shared/base/clock.ts';
import type { Approval } from '../../../shared/model/approvals/approval.ts';
import type { Declaration, KafkaSource, Pipeline } from '../../../shared/model/config/declaration.ts';
import { topicPattern } from '../../../shared/model/config/topic-pattern.ts';
import { newestDeadLetters } from '../view/dead-letters-view.ts';
import { type LagHistory, recordLag } from '../view/lag-history.ts';
import type { LineageSummary } from '../view/lineage.ts';
import { maxListedDeadLetters } from '../view/overview.ts';
import { type LineageReader, lineageReader } from './lineage-reader.ts';
import { readSecrets } from './read-secrets.ts';
import { type PipelineSource, partitionKey, type Sources } from './sources.ts';
import type { TrainerProgress } from './trainer-progress.ts';

/** Rows of one read that one page may cost, each with room for far more than a person looks at. */
const limits = {
  checkpoints: 1_000,
  receipts: 10_000,
  deadLetters: 1_000,
  epochs: 10,
  shards: 20_000,
  previews: 500,
  approvals: 20,
};

/** What gathering needs of the world. */
export interface GatherDependencies {
  readonly declaration: Declaration;
  readonly store: OverviewStore;
  /** Undefined when no brokers are declared. */
  readonly endOffsets: EndOffsets | undefined;
  readonly askTrainer: (url: string, audience: string, epochId: string) => Promise<TrainerProgress | undefined>;
  /** The newest requests for a second person. */
  readonly listApprovals: (limit: number) => Promise<Approval[]>;
  readonly clock: Clock;
}

/** What is remembered from one look to the next: only to read less and to see trends, never to decide what is true. */
interface Memory {
  readonly lineage: LineageReader;
  lagHistory: LagHistory;
  /** Dead letters never change: their first bytes are read once. */
  readonly previews: Map<string, DeadLetterHead>;
  /** The shards of an epoch that is over do not change either. */
  finished: { readonly epochId: string; readonly shards: readonly ShardRow[] } | undefined;
  steps: { readonly epochId: string; readonly atMs: number; readonly steps: number } | undefined;
}

/** Makes the function that reads everything one page needs: all of Spanner at one timestamp. */
export function sourceGatherer(dependencies: GatherDependencies): () => Promise<Sources> {
  const memory: Memory = {
    lineage: lineageReader(),
    lagHistory: new Map(),
    previews: new Map(),
    finished: undefined,
    steps: undefined,
  };
  return async () => {
    const { declaration, store, clock } = dependencies;
    // The ends are asked first: a record that arrives in between makes no negative lag, and a committed one no gap.
    const ends = await readEnds(dependencies);
    const [read, approvals] = await Promise.all([
      store.read((reader) => readControlTables(reader, declaration, ends, memory)),
      dependencies.listApprovals(limits.approvals),
    ]);
    const [newest] = read.epochs;
    const trainer = newest && (await askFor(newest, dependencies));
    const asOfMs = clock();
    const stepsPerSecond = trainer && newest && trackSteps(memory, newest.id, trainer.steps, asOfMs);
    const sources = { ...read, approvals, asOfMs, declaration, trainer, stepsPerSecond, lagHistory: memory.lagHistory };
    memory.lagHistory = recordLag(memory.lagHistory, asOfMs, lagsOf(read.pipelines));
    return sources;
  };
}

/** By pipeline, the ends of its topics; undefined where one of them could not be asked. */
type Ends = ReadonlyMap<string, PipelineSource['ends']>;
type ControlTables = Pick<Sources, 'pipelines' | 'epochs' | 'shards' | 'deadLetterHeads' | 'secrets'>;

async function readEnds({ declaration, endOffsets }: GatherDependencies): Promise<Ends> {
  if (!endOffsets) return new Map();
  const chosen = await Promise.all(
    Object.values(declaration.pipelines).flatMap(({ name, source }) =>
      source.kind === 'kafka' ? [topicsOf(source, endOffsets).then((topics) => [name, topics] as const)] : [],
    ),
  );
  const names = new Set(chosen.flatMap(([, topics]) => topics ?? []));
  const ends = await endOffsets.read([...names]);
  return new Map(
    chosen.map(([pipeline, topics]) => {
      const found = topics?.map((topic) => ends.get(topic)?.map((end) => ({ topic, ...end })));
      return [pipeline, found?.every((list) => list !== undefined) ? found.flat() : undefined];
    }),
  );
}

/** The topics that a source means now; undefined where the brokers did not say. */
async function topicsOf({ topics, pattern }: KafkaSource, endOffsets: EndOffsets) {
  return pattern === undefined ? topics : await endOffsets.find(topicPattern(pattern));
}

async function readControlTables(
  reader: OverviewReader,
  declaration: Declaration,
  ends: Ends,
  memory: Memory,
): Promise<ControlTables> {
  const [pipelines, epochs, secrets] = await Promise.all([
    Promise.all(
      Object.values(declaration.pipelines).map(
        async (pipeline) => [pipeline.name, await readPipeline(reader, pipeline, ends, memory)] as const,
      ),
    ),
    Promise.all(Object.keys(declaration.feeds).map((feed) => reader.epochs(feed, limits.epochs))),
    readSecrets(reader, declaration),
  ]);
  const newestFirst = epochs.flat().sort((a, b) => b.plannedAtMs - a.plannedAtMs);
  const letters = pipelines.flatMap(([, { deadLetters }]) => deadLetters);
  const [shards, deadLetterHeads] = await Promise.all([
    readShards(reader, newestFirst[0], memory),
    readPreviews(reader, newestDeadLetters(letters, maxListedDeadLetters), memory),
  ]);
  return { pipelines: new Map(pipelines), epochs: newestFirst, shards, deadLetterHeads, secrets };
}

async function readPipeline(
  reader: OverviewReader,
  { name, source }: Pipeline,
  ends: Ends,
  memory: Memory,
): Promise<PipelineSource> {
  const [checkpoints, receipts, deadLetters] = await Promise.all([
    source.kind === 'kafka' ? reader.checkpoints(name, limits.checkpoints) : [],
    source.kind === 'pubsub' ? reader.receipts(name, limits.receipts) : [],
    reader.deadLetters(name, limits.deadLetters),
  ]);
  return {
    checkpoints,
    lineage: await readLineage(reader, checkpoints, memory),
    ends: ends.get(name),
    receipts,
    receiptsAreMore: receipts.length === limits.receipts,
    deadLetters: deadLetters.letters,
    deadLettersAreMore: deadLetters.isMore,
  };
}

async function readLineage(
  reader: OverviewReader,
  checkpoints: readonly CheckpointRow[],
  memory: Memory,
): Promise<Map<string, LineageSummary>> {
  const read = await Promise.all(
    checkpoints.map(async (checkpoint) => {
      const summary = await memory.lineage(reader, checkpoint);
      return summary ? [[partitionKey(checkpoint.topic, checkpoint.partition), summary] as const] : [];
    }),
  );
  return new Map(read.flat());
}

async function readShards(
  reader: OverviewReader,
  epoch: EpochRow | undefined,
  memory: Memory,
): Promise<readonly ShardRow[]> {
  if (!epoch) return [];
  if (memory.finished?.epochId === epoch.id) return memory.finished.shards;
  const shards = await reader.shards(epoch.id, limits.shards);
  if (epoch.state === 'delivered') memory.finished = { epochId: epoch.id, shards };
  return shards;
}

async function readPreviews(
  reader: OverviewReader,
  letters: readonly DeadLetterRow[],
  { previews }: Memory,
): Promise<DeadLetterHead[]> {
  const unknown = letters.filter(({ pipeline, id }) => !previews.has(JSON.stringify([pipeline, id])));
  if (previews.size + unknown.length > limits.previews) previews.clear();
  for (const head of await reader.deadLetterHeads(unknown)) {
    previews.set(JSON.stringify([head.pipeline, head.id]), head);
  }
  return letters.flatMap(({ pipeline, id }) => previews.get(JSON.stringify([pipeline, id])) ?? []);
}

async function askFor(epoch: EpochRow, { declaration, askTrainer }: GatherDependencies) {
  const trainer = declaration.feeds[epoch.feed]?.trainer;
  return trainer && askTrainer(trainer.url, trainer.audience, epoch.id);
}

/** Steps a second since the look before this one. */
function trackSteps(memory: Memory, epochId: string, steps: number, atMs: number): number | undefined {
  const before = memory.steps;
  memory.steps = { epochId, atMs, steps };
  if (before?.epochId !== epochId || atMs <= before.atMs || steps < before.steps) return undefined;
  return ((steps - before.steps) * 1_000) / (atMs - before.atMs);
}

function lagsOf(pipelines: ReadonlyMap<string, PipelineSource>): Map<string, number> {
  return new Map(
    [...pipelines].flatMap(([name, { ends, checkpoints }]) => {
      if (!ends) return [];
      const lag = ends.reduce((sum, { topic, partition, endOffset, lowOffset }) => {
        const isSame = (row: CheckpointRow): boolean => row.topic === topic && row.partition === partition;
        const next = checkpoints.find(isSame)?.nextOffset ?? lowOffset;
        return sum + Math.max(0, Number(endOffset - next));
      }, 0);
      return [[name, lag] as const];
    }),
  );
}
