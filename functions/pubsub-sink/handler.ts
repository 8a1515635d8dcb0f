import type { ServerResponse } from 'node:http';
import { problemOf, sendProblem } from '../../shared/adapters/http/problem.ts';
import { contentTypeOf, type FunctionRequest, readJson } from '../../shared/adapters/http/read-json.ts';
import type { NoteRefusal } from '../../shared/adapters/identity/audit-refusals.ts';
import type { VerifyToken } from '../../shared/adapters/identity/verify-token.ts';
import { messageOf } from '../../shared/base/errors.ts';
import { maxRequestBytes } from '../../shared/base/limits.ts';
import type { Log } from '../../shared/base/log.ts';
import type { Declaration } from '../../shared/model/config/declaration.ts';
import type { Principal } from '../../shared/model/identity/principal.ts';
import { pipelinesOf } from './pipelines-of.ts';
import { readPush } from './push-envelope.ts';
import type { SinkMessage } from './sink-message.ts';

/** What a push needs. */
export interface PushSteps {
  readonly declaration: Declaration;
  /** Ours: short subscription names belong to it. */
  readonly projectId: string;
  readonly verify: VerifyToken;
  /** Throws unless policies let the caller push to this pipeline. */
  readonly admit: (caller: Principal, pipeline: string) => void;
  readonly sink: SinkMessage;
}

/**
 * Answers Pub/Sub's push: 204 once the message is taken for good, whatever became of it; a retryable failure is 503, so
 * that Pub/Sub delivers again.
 *
 * @param open gives the steps; called for each request, so that what is missing at start can come later
 */
export function pushHandler(
  open: () => Promise<PushSteps>,
  { log, refused }: { readonly log: Log; readonly refused: NoteRefusal },
) {
  return async (request: FunctionRequest, response: ServerResponse): Promise<void> => {
    try {
      await takePush(await open(), request, log);
      response.statusCode = 204;
      response.end();
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

async function takePush(steps: PushSteps, request: FunctionRequest, log: Log): Promise<void> {
  const { declaration, projectId, verify, admit, sink } = steps;
  const caller = await verify(request.headersDistinct.authorization);
  const body = await readJson(request, maxRequestBytes);
  const message = readPush({ ...request.headers, 'content-type': contentTypeOf(request) }, body);
  const pipelines = pipelinesOf(declaration, { subscription: message.subscription, projectId, pusher: caller });
  // All of them before the first: half a message would be delivered again for ever.
  for (const { name } of pipelines) admit(caller, name);
  for (const pipeline of pipelines) {
    const outcome = await sink(pipeline, message);
    log(outcome === 'set-aside' || outcome === 'conflict' ? 'WARNING' : 'DEBUG', 'Took a message', {
      pipeline: pipeline.name,
      messageId: message.messageId,
      deliveryAttempt: message.deliveryAttempt,
      caller: caller.name,
      outcome,
    });
  }
}
