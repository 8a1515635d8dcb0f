import type { AvroType } from '../../formats/avro/avro-type.ts';
import type { Meaning } from '../../formats/meaning.ts';
import type { ObjectShape } from './field-tree.ts';
import { DAY, DOUBLE, LONG, MICROS, MILLIS, NULL, OTHER, STRING, TRUE } from './value-kind.ts';

/** How the bytes of a value are walked over; numbers, since a walk switches on them. */
export const WALK = {
  null: 0,
  boolean: 1,
  int: 2,
  long: 3,
  float: 4,
  double: 5,
  bytes: 6,
  string: 7,
  fixed: 8,
  enum: 9,
  union: 10,
  record: 11,
  array: 12,
  map: 13,
} as const;

/** What values are kept as that mean nothing else. */
const KINDS: Readonly<Record<string, number | undefined>> = {
  null: NULL,
  boolean: TRUE,
  int: LONG,
  long: LONG,
  float: DOUBLE,
  double: DOUBLE,
  string: STRING,
  enum: STRING,
};

/** A type of an Avro schema with what is kept of its values; recursive ones hold themselves. */
export interface AvroStep {
  readonly walk: number;
  /** Where the value is kept; -1 for what no column needs. */
  readonly slot: number;
  /** What it is kept as; `TRUE` for a boolean, whichever it is. */
  readonly kind: number;
  /** A fixed's bytes. */
  readonly size: number;
  /** A record's fields, a union's branches, what an array or a map holds. */
  readonly steps: AvroStep[];
  /** An enum's symbols. */
  readonly symbols: readonly Buffer[];
  /** By which the reference reads the value. */
  readonly type: AvroType;
}

/**
 * Compiles a schema for the members that are wanted of its records.
 *
 * @returns undefined where a path leads into a map, whose entries have no fixed places
 */
export function avroSteps(type: AvroType, root: ObjectShape): AvroStep | undefined {
  const compiling: Compiling = { skipped: new Map(), isPlain: true };
  const step = stepOf(type, -1, root, compiling);
  return compiling.isPlain ? step : undefined;
}

interface Compiling {
  /** Steps of which nothing is wanted; these may hold themselves. */
  readonly skipped: Map<AvroType, AvroStep>;
  isPlain: boolean;
}

function stepOf(type: AvroType, slot: number, shape: ObjectShape | undefined, compiling: Compiling): AvroStep {
  const isSkipped = slot < 0 && !shape;
  const known = isSkipped ? compiling.skipped.get(type) : undefined;
  if (known) return known;
  if (type.kind === 'meaning') {
    // What it means is no object, whatever its bytes are.
    const step = { ...stepOf(type.of, slot, undefined, compiling), kind: meantKind(type.meaning, type.of), type };
    if (isSkipped) compiling.skipped.set(type, step);
    return step;
  }
  const step: AvroStep = {
    walk: WALK[type.kind],
    slot,
    kind: KINDS[type.kind] ?? OTHER,
    size: type.kind === 'fixed' ? type.size : 0,
    steps: [],
    symbols: type.kind === 'enum' ? type.symbols.map((symbol) => Buffer.from(symbol)) : [],
    type,
  };
  if (isSkipped) compiling.skipped.set(type, step);
  fill(step, type, shape, compiling);
  return step;
}

function fill(step: AvroStep, type: AvroType, shape: ObjectShape | undefined, compiling: Compiling): void {
  switch (type.kind) {
    case 'record':
      for (const field of type.fields) {
        const wanted = shape?.members.find(({ name }) => Buffer.from(field.name).equals(name));
        step.steps.push(stepOf(field.type, wanted?.slot ?? -1, wanted?.inside, compiling));
      }
      break;
    case 'union':
      for (const branch of type.branches) step.steps.push(stepOf(branch, step.slot, shape, compiling));
      break;
    case 'map':
      if (shape) compiling.isPlain = false;
      step.steps.push(stepOf(type.items, -1, undefined, compiling));
      break;
    case 'array':
      step.steps.push(stepOf(type.items, -1, undefined, compiling));
      break;
  }
}

/** What a value is kept as: itself, where the column's writer knows the meaning. */
function meantKind(meaning: Meaning, of: AvroType): number {
  if (of.kind === 'string' && meaning.name === 'uuid') return STRING;
  if (of.kind !== 'int' && of.kind !== 'long') return OTHER;
  if (meaning.name === 'date') return DAY;
  if (meaning.name !== 'timestamp') return OTHER;
  return meaning.perSecond === 1_000 ? MILLIS : meaning.perSecond === 1_000_000 ? MICROS : OTHER;
}
