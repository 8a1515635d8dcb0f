import type { Report } from './finding.ts';
import type { WrittenTransform } from './schema.ts';
import type { TensorType, Transform } from './transform.ts';

const WAYS = ['as', 'part', 'normalise', 'bucketize', 'vocabulary', 'hash'] as const;

type Way = (typeof WAYS)[number];

/** Which ways each further setting belongs to. */
const waysOf = {
  zone: ['part'],
  oneHot: ['part', 'bucketize', 'vocabulary', 'hash'],
  cross: ['hash'],
  scale: ['as'],
  unit: ['as'],
  length: ['as'],
  pad: ['as'],
  truncate: ['as'],
} as const satisfies Partial<Record<keyof WrittenTransform, readonly Way[]>>;

const WIDEST_ONE_HOT = 4096;

const rangeOf: Readonly<Record<TensorType, readonly [number, number]>> = {
  float32: [-3.4028234663852886e38, 3.4028234663852886e38],
  float64: [-Number.MAX_VALUE, Number.MAX_VALUE],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint8: [0, 255],
  bool: [0, 1],
};

/** Where a transform stands, and who is told of its mistakes. */
interface Place {
  readonly path: readonly string[];
  readonly report: Report;
}

/** Resolves one transform's defaults, and checks what its settings mean together. */
export function transformSettings(tensor: string, written: WrittenTransform, place: Place): Transform {
  const { path, report } = place;
  const ways = WAYS.filter((way) => written[way] !== undefined);
  if (ways.length !== 1) {
    const found = ways.length === 0 ? 'says no way to make it' : `names ${ways.join(' and ')}`;
    report(path, found, `Give exactly one of ${WAYS.join(', ')}`);
  }
  for (const setting of Object.keys(waysOf) as (keyof typeof waysOf)[]) {
    const wanted: readonly Way[] = waysOf[setting];
    if (written[setting] === undefined || ways.some((way) => wanted.includes(way))) continue;
    report([...path, setting], `is given without \`${wanted.join('` or `')}\``, 'Remove it');
  }
  const base = { tensor, column: written.column };
  if (written.part !== undefined) return { ...base, ...partOf(written, place) };
  if (written.normalise !== undefined) {
    const fillNull = written.fillNull === 'mean' ? written.fillNull : numberFill(written, place);
    return { ...base, kind: 'normalise', method: written.normalise, fillNull };
  }
  if (written.bucketize !== undefined) return { ...base, ...bucketOf(written, place) };
  if (written.vocabulary !== undefined) {
    const { maxSize, unknown = 1, minCount } = written.vocabulary;
    const fillNull = textFill(written, place);
    const more = {
      ...(minCount === undefined ? {} : { minCount }),
      ...(isOneHot(written, maxSize + unknown, place) ? { oneHot: true } : {}),
      ...(fillNull === undefined ? {} : { fillNull }),
    };
    return { ...base, kind: 'vocabulary', maxSize, unknown, ...more };
  }
  if (written.hash !== undefined) {
    const { buckets } = written.hash;
    const oneHot = isOneHot(written, buckets, place);
    return { ...base, kind: 'hash', cross: written.cross, buckets, oneHot, fillNull: textFill(written, place) };
  }
  if (written.as === 'string') return { ...base, ...textOf(written, place) };
  return { ...base, ...castOf(written, written.as ?? 'float32', place) };
}

type Made<K extends Transform['kind']> = Omit<Extract<Transform, { kind: K }>, 'tensor' | 'column'>;

function partOf(written: WrittenTransform, place: Place): Made<'part'> {
  const { part = 'hour', zone = 'UTC', oneHot } = written;
  if (oneHot === true)
    place.report([...place.path, 'oneHot'], 'is true', 'Give the width of a part’s one-hot, like 24');
  const fillNull = numberFill(written, place);
  const width = typeof oneHot === 'number' ? oneHot : undefined;
  return { kind: 'part', part, zone, oneHot: width, ...(fillNull === undefined ? {} : { fillNull }) };
}

function bucketOf(written: WrittenTransform, place: Place): Made<'bucket'> {
  const given = written.bucketize ?? { quantiles: 2 };
  const bounds = 'bounds' in given ? given.bounds : undefined;
  const quantiles = 'quantiles' in given ? given.quantiles : undefined;
  if (bounds?.some((bound, at) => at > 0 && bound <= (bounds[at - 1] ?? bound))) {
    place.report([...place.path, 'bucketize', 'bounds'], 'do not rise', 'Sort them, and name each once');
  }
  const oneHot = isOneHot(written, quantiles ?? (bounds?.length ?? 0) + 1, place);
  return { kind: 'bucket', bounds, quantiles, oneHot, fillNull: numberFill(written, place) };
}

function textOf(written: WrittenTransform, place: Place): Made<'text'> {
  const { path, report } = place;
  if (written.length === undefined) {
    report([...path, 'length'], 'is missing', 'Give the width in bytes of a string’s tensor');
  }
  for (const setting of ['pad', 'scale', 'unit'] as const) {
    if (written[setting] !== undefined) report([...path, setting], 'is given for a string', 'Remove it');
  }
  const fillNull = textFill(written, place);
  return { kind: 'text', length: written.length ?? 1, truncate: written.truncate ?? false, fillNull };
}

function castOf(written: WrittenTransform, as: TensorType, place: Place): Made<'cast'> | Made<'list'> {
  const { path, report } = place;
  const { length, pad, truncate, scale, unit } = written;
  const fillNull = numberFill(written, place);
  for (const [setting, value] of [['fillNull', fillNull] as const, ['pad', pad] as const]) {
    if (value === undefined || fits(value, as)) continue;
    report([...path, setting], `is ${value}, which is no ${as}`, 'Give a value that the tensor can hold');
  }
  if (unit !== undefined && as !== 'int64') {
    report([...path, 'unit'], `is given for ${as}`, 'A TIMESTAMP becomes an int64');
  }
  if (scale !== undefined && !['int64', 'int32', 'uint8'].includes(as)) {
    report([...path, 'scale'], `is given for ${as}`, 'It makes whole numbers of NUMERIC: cast to int64');
  }
  if (length !== undefined) {
    for (const setting of ['scale', 'unit'] as const) {
      if (written[setting] !== undefined) report([...path, setting], 'is given for an array', 'Remove it');
    }
    return { kind: 'list', as, length, pad, truncate: truncate ?? false, fillNull };
  }
  for (const setting of ['pad', 'truncate'] as const) {
    if (written[setting] !== undefined)
      report([...path, setting], 'is given without `length`', 'Add the array’s length');
  }
  return {
    kind: 'cast',
    as,
    fillNull,
    ...(scale === undefined ? {} : { scale }),
    ...(unit === undefined ? {} : { unit }),
  };
}

function fits(value: number, as: TensorType): boolean {
  const [least, most] = rangeOf[as];
  return value >= least && value <= most && (as.startsWith('float') || Number.isInteger(value));
}

function numberFill({ fillNull }: WrittenTransform, { path, report }: Place): number | undefined {
  if (typeof fillNull !== 'string') return fillNull;
  const remedy = fillNull === 'mean' ? 'Give a number, or use `normalise`' : 'Give a number';
  report([...path, 'fillNull'], `is ${JSON.stringify(fillNull)}, which this does not know`, remedy);
  return undefined;
}

function textFill({ fillNull }: WrittenTransform, { path, report }: Place): string | undefined {
  if (typeof fillNull !== 'number') return fillNull;
  report([...path, 'fillNull'], `is the number ${fillNull}`, `Give a text: "${fillNull}"`);
  return undefined;
}

/** @param width of the one-hot tensor, at most */
function isOneHot({ oneHot }: WrittenTransform, width: number, { path, report }: Place): boolean {
  const at = [...path, 'oneHot'];
  if (typeof oneHot === 'number') report(at, `is ${oneHot}`, 'Give `true`: its width is known');
  if (oneHot !== undefined && width > WIDEST_ONE_HOT) {
    report(at, `would have ${width} places, more than ${WIDEST_ONE_HOT}`, 'Train an embedding of the ids instead');
  }
  return oneHot !== undefined;
}
