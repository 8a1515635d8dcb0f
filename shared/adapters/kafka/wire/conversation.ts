import type { Socket } from 'node:net';
import { BrokerUnreachableError, MalformedAnswerError } from '../kafka-errors.ts';
import { AnswerFrames } from './answer-frames.ts';
import { type Api, apis } from './apis.ts';
import { RequestWriter } from './request-writer.ts';
import { ResponseReader } from './response-reader.ts';

const CORRELATIONS = 2 ** 31;

/** Requests and answers over one socket, in the order that they were sent. */
export interface Conversation {
  isOpen(): boolean;
  /**
   * @throws {BrokerUnreachableError} when the connection ends, or no answer comes in time; the connection is closed then
   */
  ask(api: Api, body: RequestWriter, timeoutMs: number): Promise<ResponseReader>;
  /** From now on an answer may have so many bytes. */
  allow(maxAnswerBytes: number): void;
  close(error?: Error): void;
}

interface Waiting {
  readonly correlation: number;
  readonly api: Api;
  readonly answer: PromiseWithResolvers<ResponseReader>;
  readonly timer: NodeJS.Timeout;
}

/** Holds a conversation with a broker; its first malformed answer ends it. */
export function openConversation(
  socket: Socket,
  broker: string,
  clientId: string,
  maxAnswerBytes: number,
): Conversation {
  const waiting: Waiting[] = [];
  let correlation = 0;
  let failure: Error | undefined;
  const fail = (error: Error): void => {
    failure ??= error;
    for (const { answer, timer } of waiting.splice(0)) {
      clearTimeout(timer);
      answer.reject(failure);
    }
  };
  const close = (error: Error = new BrokerUnreachableError(`The connection to broker ${broker} was closed`)): void => {
    fail(error);
    socket.destroy();
  };
  const frames = new AnswerFrames(maxAnswerBytes, (frame) => {
    const next = waiting.shift();
    if (next === undefined || frame.readInt32BE(0) !== next.correlation) {
      if (next) waiting.unshift(next);
      throw new MalformedAnswerError('is to no question of ours');
    }
    clearTimeout(next.timer);
    try {
      next.answer.resolve(bodyOf(next.api, frame));
    } catch (error) {
      next.answer.reject(error);
      throw error;
    }
  });
  socket.on('data', (chunk: Buffer) => {
    try {
      if (!failure) frames.push(chunk);
    } catch (error) {
      close(error instanceof Error ? error : new Error(String(error)));
    }
  });
  socket.on('error', (error) =>
    fail(new BrokerUnreachableError(`The connection to broker ${broker} failed`, { cause: error })),
  );
  socket.on('close', () => fail(new BrokerUnreachableError(`Broker ${broker} closed the connection`)));
  return {
    isOpen: () => failure === undefined && socket.writable,
    allow: (bytes) => {
      frames.maxBytes = bytes;
    },
    close,
    async ask(api, body, timeoutMs) {
      if (failure) throw failure;
      correlation = (correlation + 1) % CORRELATIONS;
      const answer = Promise.withResolvers<ResponseReader>();
      const late = (): void =>
        close(new BrokerUnreachableError(`Broker ${broker} did not answer ${api.name} within ${timeoutMs} ms`));
      waiting.push({ correlation, api, answer, timer: setTimeout(late, timeoutMs) });
      socket.write(requestFrame(api, correlation, clientId, body));
      return await answer.promise;
    },
  };
}

/** SaslHandshake never became flexible; ApiVersions answers in a form that clients of any age can read. */
function requestFrame(api: Api, correlation: number, clientId: string, body: RequestWriter): Buffer {
  const header = new RequestWriter().int16(api.key).int16(api.version).int32(correlation).shortText(clientId);
  if (api !== apis.saslHandshake) header.noTags();
  const [head, rest] = [header.bytes(), body.bytes()];
  return Buffer.concat([new RequestWriter().int32(head.length + rest.length).bytes(), head, rest]);
}

function bodyOf(api: Api, frame: Buffer): ResponseReader {
  const reader = new ResponseReader(frame, 4);
  if (api !== apis.saslHandshake && api !== apis.apiVersions) reader.tags();
  return reader;
}
