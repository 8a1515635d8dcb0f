import type { IncomingMessage } from 'node:http';
import { Problem } from './problem.ts';

/** How many bytes of bodies may be in memory at once, over all requests. */
export interface BodyBudget {
  bytes: number;
}

/**
 * Reads a request's body, counting while it comes: what Content-Length says is a hint, never trusted.
 *
 * @throws {Problem} 413 beyond `maxBytes`, 429 when the budget is used up by other requests, 400 when it breaks off
 */
export async function readBody(request: IncomingMessage, maxBytes: number, budget: BodyBudget): Promise<Buffer> {
  const claimed = request.headers['content-length'];
  const expectedBytes = claimed === undefined ? maxBytes : Number(claimed);
  if (expectedBytes > maxBytes) throw tooLarge(`Content-Length says ${claimed}`, maxBytes);
  if (expectedBytes > budget.bytes) {
    throw new Problem(429, 'Busy', 'Too many bodies are on their way: send fewer at once', { 'retry-after': '1' });
  }
  budget.bytes -= expectedBytes;
  try {
    return Buffer.concat(await readChunks(request, maxBytes));
  } finally {
    budget.bytes += expectedBytes;
  }
}

async function readChunks(request: IncomingMessage, maxBytes: number): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    // The request outlives an early end of this loop: the refusal still has to be answered.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      if (!(chunk instanceof Uint8Array)) throw new TypeError('A request without an encoding yields bytes');
      bytes += chunk.length;
      if (bytes > maxBytes) throw tooLarge(`${bytes} bytes came and more follow`, maxBytes);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof Problem || cause instanceof TypeError) throw cause;
    throw new Problem(400, 'Body broke off', `The connection ended after ${bytes} bytes: send it again`);
  }
  return chunks;
}

function tooLarge(given: string, maxBytes: number): Problem {
  return new Problem(413, 'Too large', `A body has at most ${maxBytes} bytes; ${given}: use fewer rows in a batch`);
}
