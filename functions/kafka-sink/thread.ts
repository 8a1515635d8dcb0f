import { parentPort } from 'node:worker_threads';
import { sinkExitCode } from './sink-exit-code.ts';

/** The worker's thread: ends the sink at the first message, and answers with the process' exit code. */
async function runThread(): Promise<void> {
  const ending = new AbortController();
  parentPort?.on('message', () => ending.abort());
  parentPort?.postMessage(await sinkExitCode(process.env, ending.signal));
  // Ends the thread alone. A database that is down would keep its client busy for minutes.
  process.exit();
}

void runThread();
