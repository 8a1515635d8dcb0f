import * as http from 'node:http';
import * as https from 'node:https';

const MAX_ANSWER_BYTES = 64 * 1024;

/** Idle connections keep no process alive, and are closed before the server's own limit for them where it names one. */
const agents = { 'http:': new http.Agent({ keepAlive: true }), 'https:': new https.Agent({ keepAlive: true }) };

/** One request with its whole body. */
export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly timeoutMs: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly text: string;
}

/**
 * Sends a request over a connection that is kept, and takes the answer. Redirects are answers like others.
 *
 * `fetch` costs twice the CPU of such a request and copies its body. The body is not touched any more once the promise is
 * settled: its memory may then be used again.
 *
 * @throws {Error} when there is no whole answer in time, or one of more than 64 KiB
 */
export function sendRequest({ method, url, headers, body, timeoutMs }: HttpRequest): Promise<HttpAnswer> {
  const isSecure = url.protocol === 'https:';
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const request = (isSecure ? https : http).request(url, {
    method,
    headers: { ...headers, 'content-length': String(body.length) },
    agent: isSecure ? agents['https:'] : agents['http:'],
  });
  const timer = setTimeout(() => request.destroy(new Error(`No answer within ${timeoutMs} ms`)), timeoutMs);
  let settle = (): void => reject(new Error('The connection ended before the answer'));
  request.on('error', (error) => {
    settle = () => reject(error);
  });
  request.on('response', (response) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes > MAX_ANSWER_BYTES) request.destroy(new Error(`The answer has more than ${MAX_ANSWER_BYTES} bytes`));
    });
    response.on('error', (error) => {
      settle = () => reject(error);
    });
    response.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const { statusCode: status = 0, headers: answered } = response;
      settle = () => resolve({ status, retryAfter: answered['retry-after'], text });
      // It was answered before it was sent: the rest must not go out of memory that is used again.
      if (!request.writableFinished) request.destroy();
    });
  });
  // Not before the request has let go of its body.
  request.on('close', () => {
    clearTimeout(timer);
    settle();
  });
  request.end(body);
  return promise;
}
