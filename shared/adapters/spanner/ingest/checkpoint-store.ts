import type { TableMutation } from '../../../model/events/resolve/change.ts';
import type { Cell } from '../../../model/events/values/cell.ts';
import type { SpannerChannel } from '../channel.ts';
import { readSnapshot } from '../read-snapshot.ts';
import { runTransaction } from '../run-transaction.ts';
import type { Checkpoint, PipelinePartition } from './checkpoint.ts';
import { checkpointMutation } from './control-rows.ts';

const TABLE = 'PenstockCheckpoints';
const LETTERS = 'PenstockDeadLetters';
const DEADLINE_MS = 15_000;
const COLUMNS =
  'Pipeline, Topic, PartitionId, TopicId, NextOffset, Fence, Owner, HighWatermark, LastEventAt, UpdatedAt';

/** A checkpoint as people read it. */
export interface ListedCheckpoint extends PipelinePartition, Checkpoint {
  readonly owner: string;
  readonly highWatermark: bigint;
  /** RFC 3339; undefined while no record with a time was taken. */
  readonly lastEventAt: string | undefined;
  /** RFC 3339. */
  readonly updatedAt: string;
}

/** A topic as its brokers describe it now. */
export interface FoundTopic {
  readonly topicId: string;
  readonly partitions: readonly { readonly partition: number; readonly earliest: bigint; readonly end: bigint }[];
}

/** What accepting a topic does to one checkpoint. */
export interface AcceptStep {
  readonly partition: number;
  /** `removed`: the topic that was made anew has no such partition. */
  readonly why: 'recreated' | 'gap' | 'removed';
  readonly fromOffset: bigint;
  /** Where the log begins; undefined where the checkpoint goes. */
  readonly toOffset: bigint | undefined;
}

/** The checkpoints of a pipeline, or of all, in the order of their key, at one timestamp. */
export function listCheckpoints(
  channel: SpannerChannel,
  of: { readonly pipeline?: string | undefined; readonly topic?: string | undefined } = {},
): Promise<ListedCheckpoint[]> {
  const parameters = Object.fromEntries(
    Object.entries({ pipeline: of.pipeline, topic: of.topic }).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]],
    ),
  );
  const conditions = [
    ...(of.pipeline === undefined ? [] : ['Pipeline = @pipeline']),
    ...(of.topic === undefined ? [] : ['Topic = @topic']),
  ];
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  const sql = `SELECT ${COLUMNS} FROM ${TABLE}${where} ORDER BY Pipeline, Topic, PartitionId`;
  const call = { attempted: 'read the checkpoints', table: TABLE, deadlineMs: DEADLINE_MS };
  return readSnapshot(channel, call, async (query) =>
    (await query(sql, parameters)).map((row) => ({
      pipeline: String(row.Pipeline),
      topic: String(row.Topic),
      partition: Number(row.PartitionId),
      topicId: String(row.TopicId),
      nextOffset: BigInt(String(row.NextOffset)),
      fence: BigInt(String(row.Fence)),
      owner: String(row.Owner),
      highWatermark: BigInt(String(row.HighWatermark)),
      lastEventAt: row.LastEventAt === null ? undefined : String(row.LastEventAt),
      updatedAt: String(row.UpdatedAt),
    })),
  );
}

/** How many letters of a topic still wait: records of a topic that was made anew may come by the same ids. */
export function countWaitingLetters(channel: SpannerChannel, pipeline: string, topic: string): Promise<number> {
  const sql = `SELECT COUNT(*) AS n FROM ${LETTERS}
    WHERE Pipeline = @pipeline AND Topic = @topic AND Part = 0 AND RedrivenAt IS NULL`;
  const call = { attempted: `count the dead letters of topic ${topic}`, table: LETTERS, deadlineMs: DEADLINE_MS };
  return readSnapshot(channel, call, async (query) => Number((await query(sql, { pipeline, topic }))[0]?.n ?? 0));
}

/** What accepting a topic would do; nothing for checkpoints that the topic's log still has. */
export function planAcceptance(
  held: readonly (Checkpoint & { readonly partition: number })[],
  found: FoundTopic,
): AcceptStep[] {
  const logs = new Map(found.partitions.map((log) => [log.partition, log]));
  return held.flatMap(({ partition, topicId, nextOffset }): AcceptStep[] => {
    const log = logs.get(partition);
    const step = { partition, fromOffset: nextOffset, toOffset: log?.earliest };
    if (topicId !== found.topicId) return [{ ...step, why: log ? 'recreated' : 'removed' }];
    return log && nextOffset < log.earliest ? [{ ...step, why: 'gap' }] : [];
  });
}

/**
 * Moves a pipeline's checkpoints to where the log of its topic begins now: of a topic that was made anew, or whose retention
 * went past them. Checkpoints that the log still has stay. All in one transaction; fences are raised, so that a worker
 * that holds a partition by the old checkpoint writes nothing any more.
 *
 * @param options.by who accepts, for people who read the checkpoints
 * @returns what was done
 */
export function acceptTopic(
  channel: SpannerChannel,
  options: { readonly pipeline: string; readonly topic: string; readonly found: FoundTopic; readonly by: string },
): Promise<AcceptStep[]> {
  const { pipeline, topic, found, by } = options;
  const attempted = `accept topic ${topic} for pipeline ${pipeline}`;
  return runTransaction(channel, {
    attempted,
    table: TABLE,
    commit: undefined,
    deadlineMs: DEADLINE_MS,
    run: async (reads) => {
      // A row that is made in the meantime is of the topic that is there now.
      const partitions = (await listCheckpoints(channel, { pipeline, topic })).map(({ partition }) => partition);
      const keys = partitions.map((partition) => keyOf({ pipeline, topic, partition }));
      const rows = await reads.read(TABLE, keys, ['PartitionId', 'TopicId', 'NextOffset', 'Fence']);
      const held = rows.map(([partition, topicId, nextOffset, fence]) => ({
        partition: Number(partition),
        topicId: String(topicId),
        nextOffset: BigInt(String(nextOffset)),
        fence: BigInt(String(fence)),
      }));
      const steps = planAcceptance(held, found);
      const fences = new Map(held.map(({ partition, fence }) => [partition, fence]));
      const ends = new Map(found.partitions.map(({ partition, end }) => [partition, end]));
      const mutations = steps.map(({ partition, toOffset }): TableMutation => {
        const place = { pipeline, topic, partition };
        if (toOffset === undefined) return { operation: 'delete', table: TABLE, keys: [keyOf(place)] };
        return checkpointMutation({
          ...place,
          topicId: found.topicId,
          nextOffset: toOffset,
          fence: (fences.get(partition) ?? 0n) + 1n,
          owner: by,
          highWatermark: ends.get(partition) ?? toOffset,
          lastEventAtMs: undefined,
        });
      });
      return { mutations, result: steps };
    },
  });
}

function keyOf({ pipeline, topic, partition }: PipelinePartition): Cell[] {
  return [pipeline, topic, String(partition)];
}
