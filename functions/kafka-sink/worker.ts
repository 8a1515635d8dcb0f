import { dirname, extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';

/**
 * The sink runs in a thread because a thread's heap can be bounded from inside: unbounded, V8 lets garbage grow to
 * several times of what is live before it looks for it.
 */
const FIRST_HEAP_MB = 128;
/** A backlog of tiny or well compressed records is many times its bytes as objects: the thread then starts again with more. */
const MAX_HEAP_MB = 8 * FIRST_HEAP_MB;
const YOUNG_HEAP_MB = 8;
/** Cloud Run kills an instance 10 s after SIGTERM; a commit that hangs must not hold the process until then. */
const GRACE_MS = 8_000;

const own = process.argv[1] ?? '';
let isEnding = false;
let thread: Worker | undefined;

/** Runs the sink's thread, which lies beside this file, until it ends. */
function run(heapMb: number): void {
  thread = new Worker(join(dirname(own), `thread${extname(own)}`), {
    resourceLimits: { maxOldGenerationSizeMb: heapMb, maxYoungGenerationSizeMb: YOUNG_HEAP_MB },
  });
  thread.on('message', (exitCode: number) => {
    process.exitCode = exitCode;
  });
  thread.on('error', (error) => {
    const isFull = 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
    if (isFull && 2 * heapMb <= MAX_HEAP_MB && !isEnding) {
      log(
        'WARNING',
        `The sink's heap of ${heapMb} MB was too small for its backlog; starting again with ${2 * heapMb}`,
      );
      run(2 * heapMb);
      return;
    }
    log('ERROR', `The sink's thread failed: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  });
}

function log(severity: string, message: string): void {
  const time = new Date().toISOString();
  process.stderr.write(`${JSON.stringify({ severity, time, component: 'kafka-sink', message })}\n`);
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    isEnding = true;
    thread?.postMessage('end');
    // What an unfinished commit did, the checkpoint knows.
    setTimeout(() => process.exit(0), GRACE_MS).unref();
  });
}

run(FIRST_HEAP_MB);
