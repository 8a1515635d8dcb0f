import { writeFileSync } from 'node:fs';
import http2, { type ClientHttp2Session } from 'node:http2';

/**
 * Preloaded into a sink's process: times its Commit calls, from the request to the end of the answer, and writes the
 * milliseconds to the file that BENCH_COMMITS names when the process or thread ends. Both sides' gRPC goes through `http2`.
 */
function timeCommits(path: string): void {
  const milliseconds: number[] = [];
  const connect = http2.connect;
  const connectTimed = (...args: Parameters<typeof connect>): ClientHttp2Session => {
    const session = connect(...args);
    const request = session.request;
    session.request = (headers, options) => {
      const stream = request.call(session, headers, options);
      const isCommit = headers && ':path' in headers && String(headers[':path']).endsWith('/Commit');
      if (isCommit) {
        const startedAt = performance.now();
        stream.once('close', () => milliseconds.push(performance.now() - startedAt));
      }
      return stream;
    };
    return session;
  };
  Object.assign(http2, { connect: connectTimed });
  process.on('exit', () => {
    if (milliseconds.length > 0) writeFileSync(path, JSON.stringify(milliseconds));
  });
}

timeCommits(process.env.BENCH_COMMITS ?? '');
