import { createHash } from 'node:crypto';
import type { Manifest } from '../../../shared/model/epochs/manifest.ts';
import type { FittedTransform } from '../../../shared/model/tensors/fitted.ts';
import type { OfficialRow } from './official-rows.ts';

type Of<K extends FittedTransform['kind']> = Extract<FittedTransform, { kind: K }>;
/** Writes what one row gives to a tensor. */
type Push = (row: OfficialRow, into: number[]) => void;

const HOUR_MS = 3_600_000;
const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

/**
 * The peer's encoding: a plain array a tensor, made into typed ones when the batch is full.
 *
 * It takes the demo's transforms alone, and neither shuffles nor splits, which is less than ours does.
 */
export function peerEncoder({ plan, tensors }: Manifest): (rows: readonly OfficialRow[]) => Buffer {
  const pushes = plan.transforms.map((transform) => pushOf(transform));
  const specs = tensors.filter(({ name }) => plan.transforms.some(({ tensor }) => tensor === name));
  return (rows) => {
    const arrays = pushes.map((push) => {
      const values: number[] = [];
      for (const row of rows) push(row, values);
      return values;
    });
    const header: Record<string, unknown> = {};
    let at = 0;
    const parts = specs.map(({ name, dtype, shape }, index) => {
      const values = arrays[index] ?? [];
      const typed = dtype === 'I32' ? Int32Array.from(values) : Float32Array.from(values);
      header[name] = { dtype, shape: [rows.length, ...shape], data_offsets: [at, at + typed.byteLength] };
      at += typed.byteLength;
      return Buffer.from(typed.buffer);
    });
    const json = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    return Buffer.concat([length, json, ...parts]);
  };
}

function pushOf(transform: FittedTransform): Push {
  switch (transform.kind) {
    case 'part':
      return partPush(transform);
    case 'normalise':
      return (row, into) => into.push((numberOf(row, transform.column) - transform.offset) / transform.scale);
    case 'vocabulary':
      return vocabularyPush(transform);
    case 'label':
      return (row, into) => into.push(numberOf(row, transform.column) > (transform.greaterThan ?? 0) ? 1 : 0);
    default:
      throw new Error(`The demo has no transform of kind ${transform.kind}`);
  }
}

/** Local hour or weekday, asked of ICU once for each hour. */
function partPush({ zone, part, oneHot }: Of<'part'>): Push {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hour: '2-digit',
    hourCycle: 'h23',
    weekday: 'short',
  });
  const places = new Map<number, number>();
  const placeAt = (ms: number): number => {
    const parts = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, value]));
    return part === 'hour' ? Number(parts.hour) : WEEKDAYS.indexOf(parts.weekday ?? '');
  };
  return (row, into) => {
    const ms = row.DepartedAt.getTime();
    const hour = Math.floor(ms / HOUR_MS);
    let place = places.get(hour);
    if (place === undefined) {
      place = placeAt(ms);
      places.set(hour, place);
    }
    for (let at = 0; at < (oneHot ?? 0); at += 1) into.push(at === place ? 1 : 0);
  };
}

function vocabularyPush({ column, values, unknown }: Of<'vocabulary'>): Push {
  const ids = new Map(values.map((value, index) => [value, unknown + index]));
  return (row, into) => into.push(ids.get(column === 'Origin' ? row.Origin : row.Destination) ?? 0);
}

function numberOf(row: OfficialRow, column: string): number {
  return column === 'DelayMinutes' ? row.DelayMinutes : row.DistanceMiles;
}

/** Sends a batch as the trainer's contract has it. */
export async function putBatch(trainer: string, sequence: number, body: Buffer): Promise<void> {
  const digest = createHash('sha256').update(body).digest('base64');
  const response = await fetch(`${trainer}/v1/epochs/bench/shards/0/batches/${sequence}`, {
    method: 'PUT',
    headers: {
      authorization: 'Bearer bench',
      'content-type': 'application/vnd.safetensors',
      'content-digest': `sha-256=:${digest}:`,
    },
    body: new Uint8Array(body),
  });
  if (!response.ok) throw new Error(`The trainer answered ${response.status}`);
  await response.text();
}
