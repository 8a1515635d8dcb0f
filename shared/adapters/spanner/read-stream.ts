import type { ClientReadableStream } from '@grpc/grpc-js';
import { RowDecoder } from './row-decoder.ts';

/**
 * Reads a stream of PartialResultSets to its end.
 *
 * @param asked names of the columns that a read asked for; undefined for a query
 * @param onMessage called after each message, so that what it says of the transaction is known even if the stream breaks
 * @throws {DecodeError} for bytes that are no result
 * @throws what the call failed with, as gRPC has it
 */
export function readStream(
  call: ClientReadableStream<Buffer>,
  asked?: readonly string[],
  onMessage: (decoder: RowDecoder) => void = () => {},
): Promise<RowDecoder> {
  const decoder = new RowDecoder(asked);
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      reject(error);
      call.cancel();
    };
    const guarded = (step: () => void): void => {
      try {
        step();
      } catch (error) {
        fail(error);
      }
    };
    call.on('data', (message: Buffer) =>
      guarded(() => {
        decoder.push(message);
        onMessage(decoder);
      }),
    );
    // Stays after the first: the cancelled call gives one more.
    call.on('error', fail);
    call.on('end', () =>
      guarded(() => {
        decoder.finish();
        resolve(decoder);
      }),
    );
  });
}
