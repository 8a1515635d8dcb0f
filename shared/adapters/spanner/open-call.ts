import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from 'node:http2';
import { errorOfHttpStatus, errorOfReset, errorOfTrailers, GrpcError } from './grpc-error.ts';
import { FrameReader } from './grpc-frames.ts';

/** A call under way. */
export interface GrpcCall extends AsyncIterable<Buffer> {
  /**
   * Hands over each message as it comes, without waiting for the one who takes it.
   *
   * @throws {GrpcError}
   * @throws what `onMessage` throws, which cancels the call
   */
  collect(onMessage: (message: Buffer) => void): Promise<void>;
  /**
   * Messages one by one, each good until the next is asked for: as long as none is, the server waits. Ends with a `GrpcError`
   * unless it succeeded.
   */
  [Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined>;
  /** Gives the call up: it ends with CANCELLED. */
  cancel(): void;
}

/** Follows the stream of a call to its status. */
export function openCall(stream: ClientHttp2Stream, deadlineAt: number | undefined): GrpcCall {
  let failure: unknown;
  let status: IncomingHttpHeaders | undefined;
  let broken: unknown;
  const fail = (error: unknown): void => {
    failure ??= error;
    stream.close(constants.NGHTTP2_CANCEL);
  };
  const timer =
    deadlineAt === undefined
      ? undefined
      : setTimeout(
          () => fail(new GrpcError('DEADLINE_EXCEEDED', 'There was no answer in time')),
          Math.max(0, deadlineAt - Date.now()),
        );
  stream.on('response', (headers) => {
    const error = errorOfHttpStatus(headers[':status']);
    if (error) fail(error);
    // An answer of nothing but its status has it here.
    else if (headers['grpc-status'] !== undefined) status = headers;
  });
  stream.on('trailers', (trailers) => {
    status = trailers;
  });
  stream.on('error', (error) => {
    broken = error;
  });
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  stream.on('close', () => {
    clearTimeout(timer);
    resolve();
  });
  /** Throws unless the call succeeded. */
  const settle = async (frames: FrameReader): Promise<void> => {
    await closed;
    if (failure !== undefined) throw failure;
    if (!status) throw errorOfReset(stream.rstCode, stream.session?.destroyed !== false, broken);
    const error = errorOfTrailers(status);
    if (error) throw error;
    frames.finish();
  };
  return {
    async collect(onMessage) {
      const frames = new FrameReader();
      stream.on('data', (chunk: Buffer) => {
        if (failure !== undefined) return;
        try {
          for (const message of frames.push(chunk)) onMessage(message);
        } catch (error) {
          fail(error);
        }
      });
      await settle(frames);
    },
    async *[Symbol.asyncIterator]() {
      const frames = new FrameReader({ reuse: true });
      let ready: Buffer[] = [];
      let wake = (): void => {};
      let isClosed = false;
      closed.then(() => {
        isClosed = true;
        wake();
      });
      // Not `for await`: it would join all chunks that wait into a new one first.
      stream.on('data', (chunk: Buffer) => {
        if (failure !== undefined) return;
        try {
          ready = frames.push(chunk);
        } catch (error) {
          fail(error);
        }
        if (ready.length === 0) return;
        stream.pause();
        wake();
      });
      try {
        while (!isClosed || ready.length > 0) {
          const messages = ready;
          ready = [];
          yield* messages;
          if (isClosed) continue;
          const { promise, resolve: wakeUp } = Promise.withResolvers<void>();
          wake = wakeUp;
          stream.resume();
          await promise;
        }
      } finally {
        if (!stream.destroyed) {
          stream.close(constants.NGHTTP2_CANCEL);
          stream.destroy();
        }
      }
      await settle(frames);
    },
    cancel: () => fail(new GrpcError('CANCELLED', 'The call was given up')),
  };
}
