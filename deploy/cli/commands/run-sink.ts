import { kafkaPipelines, runKafkaSink } from '../../../functions/kafka-sink/run-kafka-sink.ts';
import { jsonLog } from '../../../shared/base/log.ts';
import type { Output } from '../output.ts';
import { requireOwn } from '../own-authority.ts';
import { readConfig } from '../read-config.ts';

const PROGRESS_EVERY_MS = 1_000;

/** What `penstock run kafka-sink` takes. */
export interface RunSinkOptions {
  readonly config: string;
  readonly pipeline?: string;
  readonly untilCaughtUp?: boolean;
}

/** Runs the Kafka sink in the foreground, until it is told to end or has caught up, where policies let one `trigger` its pipelines. */
export async function runSink(options: RunSinkOptions, output: Output): Promise<void> {
  const { declaration } = await readConfig(options.config, ['spanner', 'kafka', 'registry', 'pipelines']);
  const chosen = options.pipeline === undefined ? [] : [options.pipeline];
  const own = await requireOwn(
    declaration,
    kafkaPipelines(declaration, chosen).map(({ name }) => ['trigger', { type: 'Pipeline', name }] as const),
  );
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort());
  const counts = new Map<string, { rows: number; deadLetters: number; commits: number }>();
  const progress = setInterval(() => report(counts, output), PROGRESS_EVERY_MS);
  const log = jsonLog('kafka-sink', (line) => {
    // A person is told what went wrong; who wrote what is for a log that keeps it.
    const isAudit = line.includes('"severity":"NOTICE"') && process.stderr.isTTY;
    if (!isAudit && !line.includes('"severity":"DEBUG"')) process.stderr.write(line);
  });
  try {
    await runKafkaSink({
      declaration,
      pipelines: chosen,
      untilCaughtUp: options.untilCaughtUp ?? false,
      signal: ending.signal,
      log,
      identity: own?.asker.name ?? process.env.PENSTOCK_IDENTITY ?? 'laptop',
      onProgress: ({ pipeline, rowCount, deadCount }) => {
        const count = counts.get(pipeline) ?? { rows: 0, deadLetters: 0, commits: 0 };
        count.rows += rowCount;
        count.deadLetters += deadCount;
        count.commits += 1;
        counts.set(pipeline, count);
      },
    });
  } finally {
    clearInterval(progress);
  }
  const pipelines = Object.fromEntries(counts);
  output.result({ pipelines }, describe(counts) || 'Nothing to do: every partition has been read to its end.');
}

function report(counts: ReadonlyMap<string, { rows: number; deadLetters: number }>, output: Output): void {
  const text = describe(counts);
  if (text !== '') output.progress(text);
}

function describe(counts: ReadonlyMap<string, { rows: number; deadLetters: number }>): string {
  return [...counts]
    .map(([name, { rows, deadLetters }]) => `${name}: ${rows} rows, ${deadLetters} set aside`)
    .join('; ');
}
