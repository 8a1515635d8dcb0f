import { status } from '@grpc/grpc-js';
import { type Method, RpcError, unary } from '../../grpc.ts';
import type { KeyRange } from '../engine/key-ranges.ts';
import { requireSelect } from '../engine/privileges.ts';
import { type PlannedRead, planRead, readRows } from '../engine/read-rows.ts';
import { checkRequestSize, spanner, strict, toNumber } from './messages.ts';
import { readView } from './read-views.ts';
import type { Sessions } from './sessions.ts';

const SERVICE = '/google.spanner.v1.Spanner';
const DEFAULT_PARTITIONS = 8;
const MAX_PARTITIONS = 200;
const MIN_ROWS = 256;
const SEPARATOR = '\n';

/** PartitionRead and PartitionQuery. */
export function partitionMethods(sessions: Sessions): Method[] {
  return [
    unary(
      `${SERVICE}/PartitionRead`,
      strict(spanner.PartitionReadRequest),
      strict(spanner.PartitionResponse),
      async (request, context) => {
        checkRequestSize(context);
        const place = sessions.open(request.session);
        requireReadOnly(request.transaction);
        const view = await readView(place, request.transaction, context.signal);
        const { table, index, columns, keySet } = request;
        const plan = planRead(place.database.stores, { table, index, columns, keySet: keySet ?? {}, limit: 0 });
        requireSelect(place.database.stores.schema, place.session.role, plan.store.table, columns);
        const wanted = toNumber(request.partitionOptions?.maxPartitions) || DEFAULT_PARTITIONS;
        const partitions = cutRanges(plan, view.timestamp, Math.min(wanted, MAX_PARTITIONS));
        return spanner.PartitionResponse.create({
          // In no order that is promised: a client that takes it for that of keys is to find out here.
          partitions: partitions.toReversed().map((ranges) => ({ partitionToken: encodeRanges(ranges) })),
          transaction: view.transaction ?? null,
        });
      },
    ),
    unary(
      `${SERVICE}/PartitionQuery`,
      strict(spanner.PartitionQueryRequest),
      strict(spanner.PartitionResponse),
      async (request, context) => {
        checkRequestSize(context);
        const place = sessions.open(request.session);
        requireReadOnly(request.transaction);
        const view = await readView(place, request.transaction, context.signal);
        return spanner.PartitionResponse.create({
          partitions: [{ partitionToken: Buffer.from('query') }],
          transaction: view.transaction ?? null,
        });
      },
    ),
  ];
}

/** The key ranges that a partition token stands for; INVALID_ARGUMENT if it is none of a read. */
export function decodeRanges(token: Uint8Array): KeyRange[] {
  const lines = Buffer.from(token).toString('latin1').split(SEPARATOR);
  if (lines.shift() !== 'read') {
    throw new RpcError(status.INVALID_ARGUMENT, 'Invalid partition token: give one back as PartitionRead gave it.');
  }
  return lines.map((line) => {
    const [from = '', to = ''] = line.split(',').map((text) => Buffer.from(text, 'base64').toString('latin1'));
    return { from, to };
  });
}

function encodeRanges(ranges: readonly KeyRange[]): Buffer {
  const base64 = (key: string): string => Buffer.from(key, 'latin1').toString('base64');
  return Buffer.from(['read', ...ranges.map(({ from, to }) => `${base64(from)},${base64(to)}`)].join(SEPARATOR));
}

/** Cuts what a read covers into at most `count` parts of about equally many rows, in key order. */
function cutRanges(plan: PlannedRead, timestamp: number, count: number): KeyRange[][] {
  const keys: string[] = [];
  for (const [key] of readRows(plan, { timestamp })) keys.push(key);
  const size = Math.max(MIN_ROWS, Math.ceil(keys.length / count));
  const parts: KeyRange[][] = [];
  let rest: readonly KeyRange[] = plan.ranges;
  for (let at = size; at < keys.length; at += size) {
    const cut = keys[at] ?? '';
    parts.push(rest.filter(({ from }) => from < cut).map((range) => (range.to > cut ? { ...range, to: cut } : range)));
    rest = rest.filter(({ to }) => to > cut).map((range) => (range.from < cut ? { ...range, from: cut } : range));
  }
  parts.push([...rest]);
  return parts.filter((ranges) => ranges.length > 0);
}

function requireReadOnly(selector: { begin?: { readOnly?: unknown } | null; id?: unknown } | null | undefined): void {
  const id = selector?.id instanceof Uint8Array ? Buffer.from(selector.id).toString('latin1') : '';
  if (selector?.begin?.readOnly || id.startsWith('ro-')) return;
  throw new RpcError(status.INVALID_ARGUMENT, 'Partitions can be made only in a read-only transaction.');
}
