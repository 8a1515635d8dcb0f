import { hash } from 'node:crypto';
import type { Manifest } from '../../../shared/model/epochs/manifest.ts';
import type { FittedTransform } from '../../../shared/model/tensors/fitted.ts';
import type { OfficialRow } from './official-rows.ts';

type Of<K extends FittedTransform['kind']> = Extract<FittedTransform, { kind: K }>;
type Items = Float32Array | Int32Array;
/** Fills one tensor, which is zero at first. */
type Fill = (rows: readonly OfficialRow[], items: Items) => void;

const HOUR_MS = 3_600_000;
const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
const ALIGNMENT_BYTES = 64;

/**
 * The peer's encoding: a loop over the rows for each tensor, straight into the body's memory, as one writes it who cares for speed.
 *
 * It takes the demo's transforms alone, and neither shuffles nor splits nor adds a checksum, which is less than ours does.
 */
export function peerEncoder({ plan, tensors }: Manifest): (rows: readonly OfficialRow[]) => Buffer<ArrayBuffer> {
  const fills = plan.transforms.map((transform) => {
    const spec = tensors.find(({ name }) => name === transform.tensor);
    if (!spec) throw new Error(`There is no tensor ${transform.tensor}`);
    return { spec, fill: fillOf(transform) };
  });
  return (rows) => {
    const header: Record<string, unknown> = {};
    let dataBytes = 0;
    for (const { spec } of fills) {
      const to = dataBytes + rows.length * (spec.shape[0] ?? 1) * 4;
      header[spec.name] = { dtype: spec.dtype, shape: [rows.length, ...spec.shape], data_offsets: [dataBytes, to] };
      dataBytes = to;
    }
    const json = JSON.stringify(header);
    const dataFrom = Math.ceil((8 + json.length) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
    const body = Buffer.from(new ArrayBuffer(dataFrom + dataBytes));
    body.writeBigUInt64LE(BigInt(dataFrom - 8));
    body.write(json.padEnd(dataFrom - 8), 8, 'latin1');
    let at = dataFrom;
    for (const { spec, fill } of fills) {
      const count = rows.length * (spec.shape[0] ?? 1);
      const items = new (spec.dtype === 'I32' ? Int32Array : Float32Array)(body.buffer, at, count);
      fill(rows, items);
      at += items.byteLength;
    }
    return body;
  };
}

function fillOf(transform: FittedTransform): Fill {
  switch (transform.kind) {
    case 'part':
      return partFill(transform);
    case 'normalise': {
      const { offset, scale } = transform;
      return (rows, items) => {
        for (let row = 0; row < rows.length; row += 1) items[row] = ((rows[row]?.DistanceMiles ?? 0) - offset) / scale;
      };
    }
    case 'vocabulary':
      return vocabularyFill(transform);
    case 'label': {
      const bound = transform.greaterThan ?? 0;
      return (rows, items) => {
        for (let row = 0; row < rows.length; row += 1) items[row] = (rows[row]?.DelayMinutes ?? 0) > bound ? 1 : 0;
      };
    }
    default:
      throw new Error(`The demo has no transform of kind ${transform.kind}`);
  }
}

/** Local hour or weekday, asked of ICU once for each hour. */
function partFill({ zone, part, oneHot }: Of<'part'>): Fill {
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
  const width = oneHot ?? 0;
  return (rows, items) => {
    for (let row = 0; row < rows.length; row += 1) {
      const ms = rows[row]?.DepartedAt.getTime() ?? 0;
      const hour = Math.floor(ms / HOUR_MS);
      let place = places.get(hour);
      if (place === undefined) {
        place = placeAt(ms);
        places.set(hour, place);
      }
      items[row * width + place] = 1;
    }
  };
}

function vocabularyFill({ column, values, unknown }: Of<'vocabulary'>): Fill {
  const ids = new Map(values.map((value, index) => [value, unknown + index]));
  const isOrigin = column === 'Origin';
  return (rows, items) => {
    for (let row = 0; row < rows.length; row += 1) {
      items[row] = ids.get((isOrigin ? rows[row]?.Origin : rows[row]?.Destination) ?? '') ?? 0;
    }
  };
}

/** Sends a batch as the trainer's contract has it. */
export async function putBatch(trainer: string, sequence: number, body: Buffer<ArrayBuffer>): Promise<void> {
  const response = await fetch(`${trainer}/v1/epochs/bench/shards/0/batches/${sequence}`, {
    method: 'PUT',
    headers: {
      authorization: 'Bearer bench',
      'content-type': 'application/vnd.safetensors',
      'content-digest': `sha-256=:${hash('sha256', body, 'base64')}:`,
    },
    body,
  });
  if (!response.ok) throw new Error(`The trainer answered ${response.status}`);
  await response.text();
}
