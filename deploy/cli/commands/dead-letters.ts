import { openSpannerChannel, type SpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import {
  type DeadLetterSummary,
  listDeadLetters as list,
  type RedriveOutcome,
  readDeadLetter,
  redriveDeadLetter,
} from '../../../shared/adapters/spanner/ingest/dead-letter-store.ts';
import { openPipeline } from '../../../shared/adapters/spanner/ingest/open-pipeline.ts';
import { readTableSchema } from '../../../shared/adapters/spanner/read-table-schema.ts';
import { ConfigError, messageOf, PenstockError } from '../../../shared/base/errors.ts';
import type { Declaration } from '../../../shared/model/config/declaration.ts';
import type { CompiledPipeline } from '../../../shared/model/events/compile-pipeline.ts';
import type { Output } from '../output.ts';
import { readConfig } from '../read-config.ts';

/** Redriving all takes at most this many at once; say it again for more. */
const MAX_REDRIVEN = 10_000;
const PREVIEW_BYTES = 2_048;

/** Prints dead letters, newest first. */
export async function listDeadLetters(
  options: { readonly config: string; readonly pipeline?: string; readonly limit: number },
  output: Output,
): Promise<void> {
  await withDatabase(options.config, async (channel) => {
    const letters = await list(channel, { pipeline: options.pipeline, limit: options.limit });
    if (letters.length === 0 && !output.json) output.result([], 'Nothing has been set aside.');
    for (const letter of letters) output.result(letter, lineOf(letter));
  });
}

/** Prints one dead letter with its record. */
export async function showDeadLetter(
  options: { readonly config: string; readonly pipeline: string; readonly id: string },
  output: Output,
): Promise<void> {
  await withDatabase(options.config, async (channel) => {
    const letter = await readDeadLetter(channel, options.pipeline, options.id);
    if (!letter) throw unknownLetter(options);
    const { record, ...summary } = letter;
    const preview = (bytes: Buffer | null): string =>
      bytes === null ? '(none)' : JSON.stringify(bytes.subarray(0, PREVIEW_BYTES).toString('utf8'));
    const json = {
      ...summary,
      key: record.key?.toString('base64') ?? null,
      value: record.value?.toString('base64') ?? null,
      headers: record.headers.map(({ name, value }) => ({ name, value: value.toString('base64') })),
    };
    output.result(json, `${lineOf(letter)}\n  key    ${preview(record.key)}\n  value  ${preview(record.value)}`);
  });
}

/** Sends one dead letter, or all of a pipeline, through today's pipeline again. */
export async function redriveDeadLetters(
  options: { readonly config: string; readonly pipeline: string; readonly id?: string },
  output: Output,
): Promise<void> {
  await withDatabase(options.config, async (channel, declaration) => {
    const compiled = await compileNow(channel, declaration, options.pipeline);
    const all =
      options.id === undefined ? await list(channel, { pipeline: options.pipeline, limit: MAX_REDRIVEN }) : [];
    const ids =
      options.id === undefined ? all.filter((one) => one.redrivenAt === undefined).map(({ id }) => id) : [options.id];
    let failed = 0;
    for (const id of ids) {
      const letter = await readDeadLetter(channel, options.pipeline, id);
      if (!letter) throw unknownLetter({ pipeline: options.pipeline, id });
      const outcome = await redriveDeadLetter(channel, compiled, letter).catch(
        (error: unknown): RedriveOutcome => ({ outcome: 'poison', reason: messageOf(error) }),
      );
      if (outcome.outcome === 'poison') failed += 1;
      output.result({ pipeline: options.pipeline, id, ...outcome }, wordOutcome(id, outcome));
    }
    if (ids.length === 0) output.progress('Nothing is waiting to be redriven.');
    if (failed > 0) process.exitCode = 1;
  });
}

async function withDatabase(
  config: string,
  use: (channel: SpannerChannel, declaration: Declaration) => Promise<void>,
): Promise<void> {
  const { declaration } = await readConfig(config, ['spanner']);
  const channel = openSpannerChannel(declaration.spanner.database, process.env);
  try {
    await use(channel, declaration);
  } finally {
    channel.close();
  }
}

async function compileNow(channel: SpannerChannel, declaration: Declaration, name: string): Promise<CompiledPipeline> {
  const pipeline = declaration.pipelines[name];
  if (!pipeline) {
    const known = Object.keys(declaration.pipelines).join(', ');
    throw new ConfigError([{ path: `pipelines.${name}`, message: 'is not declared', remedy: `Name one of: ${known}` }]);
  }
  const readTable = (table: string) => readTableSchema(channel, table);
  return await openPipeline({ database: channel.database, readTable }, pipeline);
}

function unknownLetter({ pipeline, id }: { readonly pipeline: string; readonly id: string }): PenstockError {
  return new PenstockError(`Pipeline ${pipeline} has no dead letter ${id}`, {
    code: 'NOT_FOUND',
    remedy: 'List them: npx penstock dead-letters list',
    retryable: false,
  });
}

function lineOf({ pipeline, id, class: poison, reason, recordedAt, redrivenAt }: DeadLetterSummary): string {
  const redriven = redrivenAt === undefined ? '' : `  redriven ${redrivenAt}`;
  return `${recordedAt}  ${pipeline}  ${JSON.stringify(id)}  ${poison}: ${JSON.stringify(reason)}${redriven}`;
}

function wordOutcome(id: string, outcome: RedriveOutcome): string {
  const shown = JSON.stringify(id);
  if (outcome.outcome === 'poison') return `${shown} is still set aside: ${JSON.stringify(outcome.reason)}`;
  if (outcome.outcome === 'skipped') return `${shown}: the table holds something newer; nothing was written`;
  return outcome.outcome === 'redriven' ? `${shown} is in the table now` : `${shown} was redriven before`;
}
