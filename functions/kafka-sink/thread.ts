import { parentPort } from 'node:worker_threads';
import { sinkExitCode } from './sink-exit-code.ts';

/** The worker's thread: ends the sink at the first message, and answers with the process' exit code. */
async function runThread(): Promise<void> {
  const ending = new AbortController();
  parentPort?.on('message', () => ending.abort());
  parentPort?.postMessage(await sinkExitCode(process.env, ending.signal));
  parentPort?.close();
}

void runThread();
