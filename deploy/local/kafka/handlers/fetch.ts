import type { Partition } from '../engine/partition.ts';
import type { RequestOf, ResponseOf } from '../protocol/api.ts';
import { type ErrorCode, errorCode } from '../protocol/error-code.ts';
import type { fetch } from '../protocol/fetch.ts';
import { checkLeaderEpoch } from './leader-epoch.ts';
import type { Call } from './route.ts';

/** A client may ask for more; this is what one answer holds. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const MAX_WAIT_MS = 300_000;
const READ_COMMITTED = 1;

/** Every answer offers session 0, which is none: a client that names one never got it here. */
const refusedSession = {
  throttleTimeMs: 0,
  errorCode: errorCode.fetchSessionIdNotFound,
  sessionId: 0,
  topics: [],
};

type Request = RequestOf<typeof fetch>;
type Response = ResponseOf<typeof fetch>;
type WantedTopic = Request['topics'][number];
type WantedPartition = WantedTopic['partitions'][number];
type PartitionAnswer = Response['topics'][number]['partitions'][number];

/** Answers Fetch: at once when `minBytes` lie ready or something is wrong, else when they do or `maxWaitMs` is over. */
export async function answerFetch(request: Request, call: Call): Promise<Response> {
  if (request.sessionId !== 0) return refusedSession;
  const deadline = performance.now() + Math.min(Math.max(0, request.maxWaitMs), MAX_WAIT_MS);
  for (;;) {
    const { response, bytes, failed } = read(request, call);
    const left = deadline - performance.now();
    const idle = request.topics.length === 0 && request.maxWaitMs === 0;
    if (failed || idle || bytes >= request.minBytes || left <= 0) return response;
    await appended(partitionsOf(request, call), left, call.signal);
    if (call.signal.aborted) return response;
  }
}

function read(request: Request, call: Call): { response: Response; bytes: number; failed: boolean } {
  let bytes = 0;
  let failed = false;
  const maxBytes = Math.min(Math.max(0, request.maxBytes), MAX_ANSWER_BYTES);
  const topics = request.topics.map((wanted) => ({
    topic: wanted.topic,
    topicId: wanted.topicId,
    partitions: wanted.partitions.map((partition) => {
      const left = Math.max(0, maxBytes - bytes);
      const answer = readPartition(request, wanted, partition, { left, first: bytes === 0, call });
      bytes += answer.records?.reduce((sum, piece) => sum + piece.length, 0) ?? 0;
      failed ||= answer.errorCode !== errorCode.none;
      return answer;
    }),
  }));
  return { response: { throttleTimeMs: 0, errorCode: errorCode.none, sessionId: 0, topics }, bytes, failed };
}

function readPartition(
  request: Request,
  wantedTopic: WantedTopic,
  wanted: WantedPartition,
  { left, first, call }: { left: number; first: boolean; call: Call },
): PartitionAnswer {
  const found = findPartition(wantedTopic, wanted, call);
  if (typeof found === 'number') return refused(wanted.partition, found);
  const epochError = checkLeaderEpoch(wanted.currentLeaderEpoch);
  if (epochError !== errorCode.none) return refused(wanted.partition, epochError);
  const { log, highWatermark, lastStableOffset } = found;
  const answer = {
    partitionIndex: wanted.partition,
    errorCode: errorCode.none,
    highWatermark,
    lastStableOffset,
    logStartOffset: log.startOffset,
    abortedTransactions: null,
    records: [],
  };
  if (wanted.fetchOffset < log.startOffset || wanted.fetchOffset > highWatermark) {
    return { ...answer, errorCode: errorCode.offsetOutOfRange };
  }
  const committed = request.isolationLevel === READ_COMMITTED;
  const below = committed ? lastStableOffset : highWatermark;
  const maxBytes = Math.min(left, Math.max(0, wanted.partitionMaxBytes));
  const records = log.read(wanted.fetchOffset, { maxBytes, below, firstWhatever: first });
  const abortedTransactions = committed ? found.abortedIn(wanted.fetchOffset, below) : null;
  return { ...answer, abortedTransactions, records };
}

function findPartition(
  { topic: name, topicId }: WantedTopic,
  { partition }: WantedPartition,
  call: Call,
): Partition | ErrorCode {
  const { broker, version } = call;
  const byId = version >= 13;
  const topic = byId ? broker.topics.withId(topicId) : broker.topics.named(name);
  if (!topic) return byId ? errorCode.unknownTopicId : errorCode.unknownTopicOrPartition;
  return topic.partitions[partition] ?? errorCode.unknownTopicOrPartition;
}

function partitionsOf(request: Request, call: Call): Partition[] {
  return request.topics.flatMap((topic) =>
    topic.partitions.map((wanted) => findPartition(topic, wanted, call)).filter((found) => typeof found !== 'number'),
  );
}

/** Resolves at the next append to one of the partitions, after `waitMs`, or when the call is over. */
function appended(partitions: readonly Partition[], waitMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      for (const stop of stops) stop();
      resolve();
    };
    const stops = partitions.map((partition) => partition.onAppend(done));
    const timer = setTimeout(done, waitMs);
    if (signal.aborted) done();
    else signal.addEventListener('abort', done);
  });
}

function refused(partitionIndex: number, code: ErrorCode): PartitionAnswer {
  return {
    partitionIndex,
    errorCode: code,
    highWatermark: -1,
    lastStableOffset: -1,
    logStartOffset: -1,
    abortedTransactions: null,
    records: [],
  };
}
