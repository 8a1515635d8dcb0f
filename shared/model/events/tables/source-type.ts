import type { Aggregate, ColumnSource, Pipeline } from '../../config/declaration.ts';
import { shapeAt } from '../../formats/shapes/message-shape.ts';
import { anyShape, type ValueShape } from '../../formats/shapes/value-shape.ts';

/** What is known of a pipeline's records. */
export interface RecordShapes {
  readonly value: ValueShape;
  readonly key: ValueShape;
}

/** Where no schema says anything. */
export const unknownShapes: RecordShapes = { value: anyShape, key: anyShape };

/** A column's type in DDL, and whether a schema or the declaration says it. */
export interface ColumnDefinition {
  readonly type: string;
  /** False where the type is only the widest that takes the values. */
  readonly isKnown: boolean;
}

const known = (type: string): ColumnDefinition => ({ type, isKnown: true });
const guessed = (type: string): ColumnDefinition => ({ type, isKnown: false });

/**
 * The type of a column that is to hold what a source gives.
 *
 * A field of which no schema says anything becomes JSON, which takes every value as it is: a STRING would make a number
 * poison.
 */
export function typeOfSource(source: ColumnSource, { format }: Pipeline, shapes: RecordShapes): ColumnDefinition {
  const { from, bitReverse, windowMs, format: pattern } = source;
  if (bitReverse || from.kind === 'hash') return known('INT64');
  if (windowMs !== undefined) return known('TIMESTAMP');
  if (pattern !== undefined) return known(/[Hms]/.test(pattern) ? 'TIMESTAMP' : 'DATE');
  switch (from.kind) {
    case 'key':
    case 'header':
      return known('STRING(MAX)');
    case 'constant':
      return known(constantType(from.value));
    case 'record':
      return known(from.part === 'value' && format.kind === 'json' ? 'JSON' : PARTS[from.part]);
    case 'keyField':
      return typeAt(shapes.key, from.path);
    case 'field':
      return typeAt(shapes.value, from.path);
  }
}

const PARTS = {
  topic: 'STRING(249)',
  partition: 'INT64',
  offset: 'INT64',
  timestamp: 'TIMESTAMP',
  value: 'BYTES(MAX)',
} as const;

function constantType(value: string | number | boolean | null): string {
  if (typeof value === 'boolean') return 'BOOL';
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'INT64' : 'FLOAT64';
  return 'STRING(MAX)';
}

function typeAt(message: ValueShape, path: string): ColumnDefinition {
  const found = shapeAt(message, path);
  return found === 'absent' ? guessed('JSON') : typeOfShape(found.shape);
}

/** The most natural type for such values. */
export function typeOfShape(shape: ValueShape): ColumnDefinition {
  if (shape.kind === 'any') return guessed('JSON');
  if (shape.kind === 'object') return known('JSON');
  if (shape.kind === 'scalar') return known(spelled(shape));
  if (shape.items.kind !== 'scalar') return known('JSON');
  return known(`ARRAY<${spelled(shape.items)}>`);
}

function spelled({ codes: [code = 'JSON'], maxLength }: Extract<ValueShape, { kind: 'scalar' }>): string {
  if (code !== 'STRING' && code !== 'BYTES') return code;
  return `${code}(${maxLength === undefined || maxLength < 1 ? 'MAX' : maxLength})`;
}

/** The type of a counter's column; sums that no schema types are NUMERIC, which rounds nothing. */
export function typeOfCounter(into: Aggregate['into'][number], shapes: RecordShapes): ColumnDefinition {
  if (into.function === 'count') return known('INT64');
  const { type, isKnown } = typeAt(shapes.value, into.field ?? '');
  if (into.function === 'first' || into.function === 'last') return { type, isKnown };
  if (!isKnown) return guessed('NUMERIC');
  if (into.function === 'sum') return known(type === 'FLOAT32' ? 'FLOAT64' : type);
  return { type, isKnown };
}

/** The type of the column that keeps a version, or of a guard; INT64 where no schema says otherwise. */
export function typeOfVersion(field: string, shapes: RecordShapes): ColumnDefinition {
  const found = typeAt(shapes.value, field);
  return found.isKnown ? found : guessed('INT64');
}
