import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { Cell, SpannerType } from '../values.ts';
import { compareCells, groupKey } from './compare-cells.ts';
import { printScaled, scaledNumeric } from './numeric.ts';

/** Takes the values of one group, NULLs left out by the caller, and gives their aggregate. */
export interface Aggregator {
  add(value: NonNullable<Cell>): void;
  result(): Cell;
}

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;
const MAX_SCALED_NUMERIC = 10n ** 38n;

/** Makers by ZetaSQL's function name; each gets the type of its argument. */
const MAKERS: Readonly<Record<string, (type: SpannerType) => Aggregator | undefined>> = {
  'ZetaSQL:count': () => counting(() => true),
  'ZetaSQL:countif': () => counting((value) => value === true),
  'ZetaSQL:sum': (type) => totalling(type, (total) => total),
  'ZetaSQL:avg': (type) => totalling(type, (total, count) => averageOf(total, count, type)),
  'ZetaSQL:min': (type) => choosing((best, value) => betterOf(type, best, value, -1)),
  'ZetaSQL:max': (type) => choosing((best, value) => betterOf(type, best, value, 1)),
  'ZetaSQL:any_value': () => choosing((best) => best),
  'ZetaSQL:logical_and': () => choosing((best, value) => best === true && value === true),
  'ZetaSQL:logical_or': () => choosing((best, value) => best === true || value === true),
};

/** Makes an aggregator; undefined where the function is not computed here. */
export function makeAggregator(name: string, type: SpannerType, distinct: boolean): Aggregator | undefined {
  const inner = MAKERS[name]?.(type);
  if (!inner || !distinct) return inner;
  const seen = new Set<string>();
  return {
    add(value) {
      const key = groupKey(value);
      if (seen.has(key)) return;
      seen.add(key);
      inner.add(value);
    },
    result: () => inner.result(),
  };
}

function counting(counts: (value: Cell) => boolean): Aggregator {
  let count = 0n;
  return {
    add(value) {
      if (counts(value)) count++;
    },
    result: () => count,
  };
}

function choosing(choose: (best: NonNullable<Cell>, value: NonNullable<Cell>) => NonNullable<Cell>): Aggregator {
  let best: Cell = null;
  return {
    add(value) {
      best = best === null ? value : choose(best, value);
    },
    result: () => best,
  };
}

type Total = bigint | number;

function totalling(type: SpannerType, finish: (total: Total, count: number) => Total): Aggregator | undefined {
  if (!['INT64', 'NUMERIC', 'FLOAT64', 'FLOAT32'].includes(type.code)) return undefined;
  let total: Total | undefined;
  let count = 0;
  return {
    add(value) {
      count++;
      if (type.code === 'NUMERIC') total = asBigint(total) + scaledNumeric(String(value));
      else if (typeof value === 'bigint') total = asBigint(total) + value;
      else total = (typeof total === 'number' ? total : 0) + Number(value);
    },
    result() {
      if (total === undefined) return null;
      const finished = finish(total, count);
      return type.code === 'NUMERIC' ? checkedNumeric(asBigint(finished)) : checkedInt64(finished);
    },
  };
}

function averageOf(total: Total, count: number, type: SpannerType): Total {
  if (type.code !== 'NUMERIC') return Number(total) / count;
  const doubled = asBigint(total) * 2n;
  const divisor = BigInt(count) * 2n;
  // Half away from zero, as NUMERIC rounds.
  return (doubled + (doubled < 0n ? -BigInt(count) : BigInt(count))) / divisor;
}

function betterOf(
  type: SpannerType,
  best: NonNullable<Cell>,
  value: NonNullable<Cell>,
  sign: number,
): NonNullable<Cell> {
  if (Number.isNaN(best) || Number.isNaN(value)) return Number.NaN;
  return compareCells(type, value, best) * sign > 0 ? value : best;
}

function checkedInt64(total: Total): Cell {
  if (typeof total === 'bigint' && (total < MIN_INT64 || total > MAX_INT64)) {
    throw new RpcError(status.OUT_OF_RANGE, 'int64 overflow: the SUM does not fit');
  }
  return total;
}

function checkedNumeric(scaled: bigint): Cell {
  if (scaled >= MAX_SCALED_NUMERIC || scaled <= -MAX_SCALED_NUMERIC) {
    throw new RpcError(status.OUT_OF_RANGE, 'numeric overflow: the SUM does not fit');
  }
  return printScaled(scaled);
}

function asBigint(total: Total | undefined): bigint {
  return typeof total === 'bigint' ? total : 0n;
}
