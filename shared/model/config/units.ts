const BYTES_PER_UNIT: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };
const MS_PER_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** @returns the bytes of a size like `4MiB` */
export function parseBytes(size: string): number {
  return Math.round(parseQuantity(size, BYTES_PER_UNIT));
}

/** @returns the milliseconds of a duration like `50ms` or `28d` */
export function parseMs(duration: string): number {
  return Math.round(parseQuantity(duration, MS_PER_UNIT));
}

/** @returns the share in [0, 1) of a percentage like `10%` */
export function parseShare(percent: string): number {
  return parseQuantity(percent, { '%': 1 }) / 100;
}

function parseQuantity(text: string, units: Readonly<Record<string, number>>): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(\D+)$/.exec(text) ?? [];
  const factor = units[unit ?? ''];
  if (digits === undefined || factor === undefined) {
    throw new RangeError(
      `${JSON.stringify(text)} needs a number and one of the units ${Object.keys(units).join(', ')}`,
    );
  }
  return Number(digits) * factor;
}
