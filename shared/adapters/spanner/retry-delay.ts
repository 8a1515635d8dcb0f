import { GrpcError } from './grpc-error.ts';
import { decodeRetryDelayMs } from './response-bytes.ts';

const RETRY_INFO = 'google.rpc.retryinfo-bin';
const FIRST_DELAY_MS = 10;
const MAX_DELAY_MS = 2_000;
/** A server that asks for more than this is waited for no longer. */
const MAX_ASKED_MS = 30_000;

/**
 * How long to wait before a transaction that was aborted is tried again: what the server asks for, else longer each time;
 * always with up to half as much on top, so that those who collided do not meet again.
 *
 * @param count attempts so far, from 1
 * @returns milliseconds
 */
export function retryDelayMs(error: unknown, count: number, random: () => number = Math.random): number {
  const delayMs = askedDelayMs(error) ?? Math.min(FIRST_DELAY_MS * 2 ** (count - 1), MAX_DELAY_MS);
  return delayMs * (1 + random() / 2);
}

function askedDelayMs(error: unknown): number | undefined {
  const info = error instanceof GrpcError ? error.trailers[RETRY_INFO] : undefined;
  if (typeof info !== 'string') return undefined;
  try {
    const delayMs = decodeRetryDelayMs(Buffer.from(info, 'base64'));
    return delayMs === undefined ? undefined : Math.min(delayMs, MAX_ASKED_MS);
  } catch {
    return undefined;
  }
}
