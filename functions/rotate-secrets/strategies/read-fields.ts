import { StrategyRefusedError } from './strategy.ts';

/**
 * Reads a value that is a JSON object.
 *
 * @throws {StrategyRefusedError} which says nothing of the value
 */
export function readFields(value: Buffer): Readonly<Record<string, unknown>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value.toString('utf8'));
  } catch {
    // The parser's own error quotes what it could not parse.
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return { ...parsed };
  throw malformed('is no JSON object');
}

/** @throws {StrategyRefusedError} which names the field alone */
export function textField(fields: Readonly<Record<string, unknown>>, field: string): string {
  const found = fields[field];
  if (typeof found === 'string' && found !== '') return found;
  throw malformed(`has no text in its field "${field}"`);
}

function malformed(what: string): StrategyRefusedError {
  return new StrategyRefusedError(
    `The secret's value ${what}`,
    'Add a version of the right form, and point current there',
  );
}
