import { createHash } from 'node:crypto';
import type { Pipeline } from '../../config/declaration.ts';

const HEX_DIGITS = 16;

const versions = new WeakMap<Pipeline, string>();

/**
 * Names what a pipeline was declared to do: two declarations that say the same have the same version, in whatever order and
 * file they say it.
 *
 * @returns the first 16 hex digits of the SHA-256 of the pipeline's part of the compiled declaration, its schema files included
 */
export function pipelineVersion(pipeline: Pipeline): string {
  const known = versions.get(pipeline);
  if (known !== undefined) return known;
  const text = JSON.stringify(pipeline, (_, value: unknown) => inKeyOrder(value));
  const version = createHash('sha256').update(text).digest('hex').slice(0, HEX_DIGITS);
  versions.set(pipeline, version);
  return version;
}

function inKeyOrder(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
