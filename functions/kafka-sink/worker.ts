import { dirname, extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';

/**
 * The sink runs in a thread because a thread's heap can be bounded from inside: unbounded, V8 lets garbage grow to
 * several times of what is live before it looks for it.
 */
const HEAP_LIMITS = { maxOldGenerationSizeMb: 144, maxYoungGenerationSizeMb: 8 };
/** Cloud Run kills an instance 10 s after SIGTERM; a commit that hangs must not hold the process until then. */
const GRACE_MS = 8_000;

/** Runs the sink's thread, which lies beside this file, until it ends, or until SIGTERM or SIGINT ends it. */
function supervise(): void {
  const own = process.argv[1] ?? '';
  const worker = new Worker(join(dirname(own), `thread${extname(own)}`), { resourceLimits: HEAP_LIMITS });
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
    const message = `The sink's thread failed: ${error instanceof Error ? error.message : error}`;
    process.stderr.write(`${JSON.stringify({ severity: 'ERROR', component: 'kafka-sink', message })}\n`);
    process.exitCode = 1;
  });
}

supervise();
