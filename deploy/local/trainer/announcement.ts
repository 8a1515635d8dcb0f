import * as z from 'zod';
import { Problem } from './problem.ts';
import { readTimestampNs } from './read-timestamp.ts';
import type { Dtype } from './safetensors.ts';

/** One tensor that every batch of the epoch carries. */
export interface TensorSpec {
  name: string;
  dtype: Dtype;
  /** Values in a row: undefined for one (`[rows]`), n for `[rows, n]`. */
  width: number | undefined;
  role: 'feature' | 'label' | 'weight';
  /** Of an id tensor: its values are 0 to categories-1. */
  categories: number | undefined;
}

/** What a reader says of an epoch before its batches come. */
export interface Announcement {
  feed: string;
  readTimestamp: string;
  planDigest: string;
  shardCount: number;
  batchRows: number;
  seed: string;
  tensors: readonly TensorSpec[];
  /** The id tensor whose mean label is the score to beat; undefined when the overall rate is. */
  baseline: string | undefined;
  /** The body as it came, with sorted keys: two announcements are the same when these are. */
  canonical: string;
}

/** Adam goes over an embedding's whole table at each step, so the table has an upper size. */
const MAX_CATEGORIES = 65_536;
const MAX_WIDTH = 16_384;

const dtypes: Readonly<Record<string, Dtype>> = {
  float32: 'F32',
  float64: 'F64',
  int32: 'I32',
  int64: 'I64',
  uint8: 'U8',
  bool: 'BOOL',
};

const tensorSchema = z.object({
  name: z.string().min(1).max(256),
  dtype: z.string().transform((given, context): Dtype => {
    const dtype = dtypes[given] ?? Object.values(dtypes).find((known) => known === given);
    if (dtype !== undefined) return dtype;
    context.addIssue({ code: 'custom', message: `is ${given}; taken are ${Object.keys(dtypes).join(', ')}` });
    return z.NEVER;
  }),
  shape: z.array(z.int().min(1).max(MAX_WIDTH)).max(1, 'a row of a tensor is a scalar [] or a list [n]'),
  role: z.enum(['feature', 'label', 'weight']).optional(),
  categories: z.int().min(1).max(MAX_CATEGORIES).optional(),
});

const bodySchema = z.object({
  feed: z.string().min(1).max(256),
  readTimestamp: z
    .string()
    .refine((text) => readTimestampNs(text) !== undefined, 'is not RFC 3339 in UTC, as 2026-11-21T07:00:00.123456789Z'),
  planDigest: z.string().min(1).max(256),
  shards: z.int().min(1).max(100_000),
  batchRows: z.int().min(1).max(1_000_000),
  seed: z.union([z.int(), z.string().max(64)]),
  tensors: z.array(tensorSchema).min(1).max(1024),
  baseline: z.string().optional(),
});

/**
 * Reads the JSON body that announces an epoch; fields that it does not know are the feed's manifest and only compared.
 *
 * @throws {Problem} 400 when it is not JSON, 422 naming every field that is wrong
 */
export function readAnnouncement(body: Uint8Array): Announcement {
  const json = parseJson(body);
  const parsed = bodySchema.safeParse(json);
  if (!parsed.success) refuse(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`));
  const { shards: shardCount, seed, baseline, tensors: given, ...rest } = parsed.data;
  const tensors = given.map((tensor) => ({
    name: tensor.name,
    dtype: tensor.dtype,
    width: tensor.shape[0],
    role: tensor.role ?? (tensor.name === 'label' ? ('label' as const) : ('feature' as const)),
    categories: tensor.categories,
  }));
  const mistakes = [...tensorMistakes(tensors), ...baselineMistakes(tensors, baseline)];
  if (mistakes.length > 0) refuse(mistakes);
  const canonical = JSON.stringify(sortKeys(json));
  const byOrigin = tensors.find(({ name, categories }) => name === 'origin' && categories !== undefined)?.name;
  return { ...rest, shardCount, seed: String(seed), tensors, baseline: baseline ?? byOrigin, canonical };
}

function tensorMistakes(tensors: readonly TensorSpec[]): string[] {
  const mistakes: string[] = [];
  const names = new Set(tensors.map(({ name }) => name));
  if (names.size < tensors.length) mistakes.push('tensors: a name is given twice');
  if (names.has('__metadata__')) mistakes.push('tensors: __metadata__ is not a tensor’s name in safetensors');
  const labels = tensors.filter(({ role }) => role === 'label');
  if (labels.length !== 1)
    mistakes.push(`tensors: wanted is one label (role label, or the name label), given are ${labels.length}`);
  if (labels.some(({ width, categories }) => width !== undefined || categories !== undefined)) {
    mistakes.push('tensors: the label is one value of 0 or 1 in a row, shape [], without categories');
  }
  const weights = tensors.filter(({ role }) => role === 'weight');
  if (weights.length > 1) mistakes.push(`tensors: at most one has role weight, given are ${weights.length}`);
  if (weights.some(({ dtype, width }) => dtype !== 'F32' || width !== undefined)) {
    mistakes.push('tensors: the weight is one float32 in a row, shape []');
  }
  if (labels.length + weights.length === tensors.length) mistakes.push('tensors: there is no feature to learn from');
  for (const { name, dtype, width, categories } of tensors) {
    if (categories === undefined) continue;
    if (dtype !== 'I32' && dtype !== 'I64')
      mistakes.push(`tensors: ${name} has categories, so it must be int32 or int64`);
    if (width !== undefined) mistakes.push(`tensors: ${name} has categories, so its shape must be []`);
  }
  return mistakes;
}

function baselineMistakes(tensors: readonly TensorSpec[], baseline: string | undefined): string[] {
  if (baseline === undefined) return [];
  if (tensors.some(({ name, categories }) => name === baseline && categories !== undefined)) return [];
  return [`baseline: ${baseline} is not a tensor with categories`];
}

function refuse(mistakes: readonly string[]): never {
  throw new Problem(422, 'Announcement refused', mistakes.slice(0, 20).join('; '));
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (cause) {
    throw new Problem(
      400,
      'Not JSON',
      `The body is not JSON in UTF-8: ${cause instanceof Error ? cause.message : cause}`,
    );
  }
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => [key, sortKeys(item)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
