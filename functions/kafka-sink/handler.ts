import type { ServerResponse } from 'node:http';
import { problemOf, sendProblem } from '../../shared/adapters/http/problem.ts';
import { type FunctionRequest, readJson } from '../../shared/adapters/http/read-json.ts';
import type { NoteRefusal } from '../../shared/adapters/identity/audit-refusals.ts';
import type { VerifyToken } from '../../shared/adapters/identity/verify-token.ts';
import { openDeadline } from '../../shared/base/deadline.ts';
import { messageOf } from '../../shared/base/errors.ts';
import type { Log } from '../../shared/base/log.ts';
import type { Principal } from '../../shared/model/identity/principal.ts';
import type { KafkaSinkOptions } from './run-kafka-sink.ts';

const MAX_BODY_BYTES = 64 * 1024;

/** What a drain did. */
export interface DrainReport {
  /** False when the deadline came first; the next drain goes on. */
  readonly caughtUp: boolean;
  readonly commits: number;
  readonly rows: number;
  readonly skipped: number;
  readonly deadLetters: number;
}

/** What a drain needs. */
export interface DrainSteps {
  readonly verify: VerifyToken;
  /** Throws unless policies let the caller start a drain. */
  readonly admit: (caller: Principal) => void;
  /** The sink, without what the drain itself decides. */
  readonly run: (options: Pick<KafkaSinkOptions, 'untilCaughtUp' | 'signal' | 'onProgress'>) => Promise<void>;
  /** How long a drain may take, in milliseconds. */
  readonly deadlineMs: number;
}

/**
 * Answers a scheduler's call: moves what the topics hold now, until all of it is in Spanner or the deadline has come.
 * Calls that come while a drain runs wait for that one.
 *
 * @param ending aborted when the instance shuts down
 */
export function drainHandler(
  open: () => Promise<DrainSteps>,
  { log, refused, ending }: { readonly log: Log; readonly refused: NoteRefusal; readonly ending: AbortSignal },
) {
  let running: Promise<DrainReport> | undefined;
  return async (request: FunctionRequest, response: ServerResponse): Promise<void> => {
    try {
      const steps = await open();
      steps.admit(await steps.verify(request.headersDistinct.authorization));
      // Nothing in it changes what a drain does, but what is no JSON was not meant for this door.
      await readJson(request, MAX_BODY_BYTES);
      running ??= drain(steps, ending).finally(() => {
        running = undefined;
      });
      const report = await running;
      response.statusCode = 200;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(report));
    } catch (error) {
      const problem = problemOf(error);
      if (!refused(error)) {
        const { code, status } = problem;
        log(status < 500 ? 'WARNING' : 'ERROR', messageOf(error), { code, status });
      }
      sendProblem(response, problem);
    }
  };
}

async function drain({ run, deadlineMs }: DrainSteps, ending: AbortSignal): Promise<DrainReport> {
  const report = { commits: 0, rows: 0, skipped: 0, deadLetters: 0 };
  using deadline = openDeadline(deadlineMs, ending);
  const { signal } = deadline;
  await run({
    untilCaughtUp: true,
    signal,
    onProgress: ({ rowCount, skippedCount, deadCount }) => {
      report.commits += 1;
      report.rows += rowCount;
      report.skipped += skippedCount;
      report.deadLetters += deadCount;
    },
  });
  return { caughtUp: !signal.aborted, ...report };
}
