import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import { AFTER_PREFIX, encodeKey, type KeyColumn } from '../storage/key-encoding.ts';
import type { Cell } from '../values.ts';
import { parseCell } from './parse-cell.ts';
import type { WireKeyRange, WireKeySet, WireList } from './wire-mutation.ts';

/** Encoded keys with `from <= key < to`. */
export interface KeyRange {
  readonly from: string;
  readonly to: string;
}

/** Every key there can be. */
export const EVERYTHING: KeyRange = { from: '', to: AFTER_PREFIX };

/**
 * The ranges that a key set covers, sorted, none overlapping another.
 *
 * @param key the columns that keys are made of; ranges may end on any of their prefixes, single keys may not
 * @throws {RpcError} INVALID_ARGUMENT for keys of a wrong length or type
 */
export function keyRanges(keySet: WireKeySet, key: readonly KeyColumn[]): KeyRange[] {
  if (keySet.all) return [EVERYTHING];
  const ranges = (keySet.ranges ?? []).map((range) => toRange(range, key));
  for (const list of keySet.keys ?? []) {
    const point = encodePoint(list, key);
    ranges.push({ from: point, to: point + AFTER_PREFIX });
  }
  return merge(ranges);
}

/** The part of sorted ranges that lies behind a key. */
export function rangesAfter(ranges: readonly KeyRange[], key: string): KeyRange[] {
  const from = `${key}\0`;
  return ranges.filter((range) => range.to > from).map((range) => (range.from < from ? { from, to: range.to } : range));
}

function toRange(range: WireKeyRange, key: readonly KeyColumn[]): KeyRange {
  const start = range.startClosed ?? range.startOpen;
  const end = range.endClosed ?? range.endOpen;
  if (!start || !end) throw new RpcError(status.INVALID_ARGUMENT, 'A key range needs a start and an end key.');
  const from = encodePrefix(start, key);
  const to = encodePrefix(end, key);
  return { from: range.startClosed ? from : from + AFTER_PREFIX, to: range.endClosed ? to + AFTER_PREFIX : to };
}

function encodePoint(list: WireList, key: readonly KeyColumn[]): string {
  const length = list.values?.length ?? 0;
  if (length !== key.length) {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      `Wrong number of key parts: expected ${key.length}, got ${length}. Use a range to read by a prefix.`,
    );
  }
  return encodePrefix(list, key);
}

function encodePrefix(list: WireList, key: readonly KeyColumn[]): string {
  const cells = (list.values ?? []).map((value, i): Cell => {
    const column = key[i];
    if (!column) {
      throw new RpcError(status.INVALID_ARGUMENT, `Wrong number of key parts: expected at most ${key.length}.`);
    }
    const cell = parseCell(value, column.type);
    if (cell === undefined) {
      throw new RpcError(status.INVALID_ARGUMENT, `Invalid value for key part ${i + 1}: expected ${column.type.code}.`);
    }
    return cell;
  });
  return encodeKey(cells, key);
}

function merge(ranges: KeyRange[]): KeyRange[] {
  const merged: KeyRange[] = [];
  for (const range of ranges.sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0))) {
    if (range.from >= range.to) continue;
    const last = merged.at(-1);
    if (last && range.from <= last.to) merged[merged.length - 1] = { from: last.from, to: max(last.to, range.to) };
    else merged.push(range);
  }
  return merged;
}

function max(a: string, b: string): string {
  return a > b ? a : b;
}
