import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { jsonLog } from '../../shared/base/log.ts';

/**
 * The sink runs in a thread because a thread's heap can be bounded from inside: unbounded, V8 lets garbage grow to
 * several times of what is live before it looks for it. Measured on 200,000 flights into two tables: 230 MB instead of 580.
 */
const HEAP_LIMITS = { maxOldGenerationSizeMb: 144, maxYoungGenerationSizeMb: 8 };
/** Cloud Run kills an instance 10 s after SIGTERM; a commit that hangs must not hold the process until then. */
const GRACE_MS = 8_000;

/** Runs the sink's thread until it ends, or until SIGTERM or SIGINT ends it. */
function supervise(path: string): void {
  const worker = new Worker(path, { resourceLimits: HEAP_LIMITS });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      worker.postMessage('end');
      // What an unfinished commit did, the checkpoint knows.
      setTimeout(() => process.exit(0), GRACE_MS).unref();
    });
  }
  worker.on('message', (exitCode: number) => {
    process.exitCode = exitCode;
  });
  worker.on('error', (error) => {
    jsonLog('kafka-sink')('ERROR', `The sink's thread failed: ${error.message}`);
    process.exitCode = 1;
  });
}

async function runThread(): Promise<void> {
  const ending = new AbortController();
  parentPort?.on('message', () => ending.abort());
  // Loaded here, so that the supervising thread stays small.
  const { sinkExitCode } = await import('./sink-exit-code.ts');
  parentPort?.postMessage(await sinkExitCode(process.env, ending.signal));
  parentPort?.close();
}

if (isMainThread) supervise(process.argv[1] ?? '');
else void runThread();
