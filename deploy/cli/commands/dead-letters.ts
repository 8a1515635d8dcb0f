import { openSpannerChannel, type SpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import {
  type DeadLetterFilter,
  type DeadLetterSummary,
  listDeadLetters as list,
  readDeadLetter,
  type StoredDeadLetter,
} from '../../../shared/adapters/spanner/ingest/dead-letter-store.ts';
import { ConfigError, PenstockError } from '../../../shared/base/errors.ts';
import {
  masked,
  maskReason,
  maskValue,
  type RecordMask,
  recordMask,
} from '../../../shared/model/access/mask-record.ts';
import type { Declaration } from '../../../shared/model/config/declaration.ts';
import { parseMs } from '../../../shared/model/config/units.ts';
import type { Output } from '../output.ts';
import { mayReadSensitive, type OwnAuthority, requirePipelineView } from '../own-authority.ts';
import { readConfig } from '../read-config.ts';

const PAGE_LETTERS = 1_000;
const PREVIEW_BYTES = 2_048;

/** What chooses letters, as it is written on the command line. */
export interface LetterChoice {
  readonly class?: string;
  /** A time in RFC 3339, or how long ago: `2h`. */
  readonly since?: string;
}

/** Prints dead letters, newest first. */
export async function listDeadLetters(
  options: LetterChoice & {
    readonly config: string;
    readonly pipeline?: string;
    readonly open?: boolean;
    readonly limit: number;
  },
  output: Output,
): Promise<void> {
  const filter: DeadLetterFilter = {
    pipeline: options.pipeline,
    class: options.class,
    sinceMs: sinceMs(options.since),
    isOpen: options.open ?? false,
  };
  await withChannel(options, async (channel, maskOf) => {
    let after: DeadLetterSummary | undefined;
    for (let left = options.limit; left > 0; ) {
      const limit = Math.min(left, PAGE_LETTERS);
      const page = await list(channel, filter, { order: 'newest', limit, after });
      if (page.length === 0 && !after && !output.json) output.result([], 'Nothing has been set aside.');
      for (const letter of page) {
        const shown = maskOf(letter.pipeline) ? { ...letter, reason: maskReason(letter.reason) } : letter;
        output.result(shown, lineOf(shown));
      }
      if (page.length < limit) return;
      left -= page.length;
      after = page.at(-1);
    }
  });
}

/** Prints one dead letter with its record. */
export async function showDeadLetter(
  options: { readonly config: string; readonly pipeline: string; readonly id: string },
  output: Output,
): Promise<void> {
  await withChannel(options, async (channel, maskOf) => {
    const letter = await readDeadLetter(channel, options.pipeline, options.id);
    if (!letter) throw unknownLetter(options);
    const mask = maskOf(options.pipeline);
    if (mask) return showMasked(letter, mask, output);
    const { record, isWhole, ...summary } = letter;
    const preview = (bytes: Buffer | null): string =>
      bytes === null ? '(none)' : JSON.stringify(bytes.subarray(0, PREVIEW_BYTES).toString('utf8'));
    const json = {
      ...summary,
      key: record.key?.toString('base64') ?? null,
      value: record.value?.toString('base64') ?? null,
      headers: record.headers.map(({ name, value }) => ({ name, value: value.toString('base64') })),
      isWhole,
    };
    const text = [
      lineOf(letter),
      `  by       version ${summary.pipelineVersion ?? '(unknown)'} of the pipeline, sent again ${summary.attemptCount} times`,
      `  key      ${preview(record.key)}`,
      `  value    ${preview(record.value)}`,
      ...record.headers.map(({ name, value }) => `  header   ${JSON.stringify(name)}: ${preview(value)}`),
    ];
    output.result(json, text.join('\n'));
  });
}

/** What of a letter those may see who may not read its sensitive columns. */
function showMasked(letter: StoredDeadLetter, mask: RecordMask, output: Output): void {
  const { record, isWhole, ...summary } = letter;
  const shown = { ...summary, reason: maskReason(summary.reason) };
  const key = record.key === null ? null : mask.key ? record.key.toString('utf8') : masked;
  const value = record.value === null ? null : maskValue(record.value, mask);
  const headers = record.headers.map((header) => ({
    name: header.name,
    value: mask.headers.has(header.name) ? header.value.toString('utf8') : masked,
  }));
  const text = [
    lineOf(shown),
    `  key      ${JSON.stringify(key)}`,
    `  value    ${value === null ? '(none)' : value}`,
    ...headers.map(({ name, value: held }) => `  header   ${JSON.stringify(name)}: ${JSON.stringify(held)}`),
    '  What belongs to no plain column is masked: a policy has to grant readColumns of the sensitive ones.',
  ];
  output.result({ ...shown, isMasked: true, shown: { key, value, headers }, isWhole }, text.join('\n'));
}

/** Opens the declaration's database for one command. */
async function withChannel(
  { config, pipeline }: { readonly config: string; readonly pipeline?: string },
  use: (channel: SpannerChannel, maskOf: (pipeline: string) => RecordMask | undefined) => Promise<void>,
): Promise<void> {
  const { declaration } = await readConfig(config, ['spanner']);
  const own = await requirePipelineView(declaration, pipeline);
  const masks = new Map<string, RecordMask | undefined>();
  const maskOf = (name: string): RecordMask | undefined => {
    if (!masks.has(name)) masks.set(name, ownMask(declaration, own, name));
    return masks.get(name);
  };
  const channel = openSpannerChannel(declaration.spanner.database, process.env);
  try {
    await use(channel, maskOf);
  } finally {
    channel.close();
  }
}

function ownMask(declaration: Declaration, own: OwnAuthority | undefined, name: string): RecordMask | undefined {
  const mask = recordMask(declaration, name);
  const pipeline = Object.hasOwn(declaration.pipelines, name) ? declaration.pipelines[name] : undefined;
  if (!mask || !pipeline) return mask;
  const tables = pipeline.targets.map(({ table }) => table);
  return mayReadSensitive(declaration, own, tables) ? undefined : mask;
}

/**
 * When letters begin to count, in milliseconds since 1970.
 *
 * @throws {ConfigError} for what is neither a time nor a duration
 */
export function sinceMs(since: string | undefined, nowMs = Date.now()): number | undefined {
  if (since === undefined) return undefined;
  const at = /^\d{4}-\d\d-\d\d/.test(since) ? Date.parse(since) : nowMs - durationMs(since);
  if (Number.isFinite(at)) return at;
  const remedy = 'Write a time in RFC 3339 (2026-11-21T09:00:00Z), or how long ago (30m, 2h, 7d)';
  throw new ConfigError([{ path: '--since', message: `is ${JSON.stringify(since)}, no time`, remedy }]);
}

function durationMs(text: string): number {
  try {
    return parseMs(text);
  } catch {
    return Number.NaN;
  }
}

export function unknownLetter({ pipeline, id }: { readonly pipeline: string; readonly id: string }): PenstockError {
  return new PenstockError(`Pipeline ${pipeline} has no dead letter ${id}`, {
    code: 'NOT_FOUND',
    remedy: 'List them: npx penstock dead-letters list',
    retryable: false,
  });
}

function lineOf(letter: DeadLetterSummary): string {
  const { pipeline, id, class: poison, reason, recordedAt, redrivenAt, redrivenBy } = letter;
  const redriven = redrivenAt === undefined ? '' : `  redriven ${redrivenAt} by ${redrivenBy ?? '(unknown)'}`;
  return `${recordedAt}  ${pipeline}  ${JSON.stringify(id)}  ${poison}: ${JSON.stringify(reason)}${redriven}`;
}
