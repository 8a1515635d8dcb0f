/**
 * Figures and times as the page says them: short, in English, with a unit, never a bare number of milliseconds.
 */
const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MAX_LINE_CHARACTERS = 500;
const NUMBER_WORDS = ['No', 'One', 'Two', 'Three', 'Four', 'Five', 'Six', 'Seven', 'Eight', 'Nine'];

/** `48,213,907`. */
export function sayCount(count: number | bigint): string {
  return grouped.format(count);
}

/** `One` to `Nine` in words, more in figures: for the start of a sentence. */
export function sayNumber(count: number): string {
  return NUMBER_WORDS[count] ?? sayCount(count);
}

/** `1 record`, `2 records`. */
export function sayMany(count: number | bigint, one: string, many = `${one}s`): string {
  return `${sayCount(count)} ${Number(count) === 1 ? one : many}`;
}

/** `0.4 s`, `41 s`, `4 m 12 s`, `3 h 5 m`, `2 d 4 h`; never negative. */
export function sayDuration(durationMs: number): string {
  const ms = Math.max(0, durationMs);
  if (ms < 9_950) return `${(Math.round(ms / 100) / 10).toString()} s`;
  if (ms < MINUTE - 500) return `${Math.round(ms / SECOND)} s`;
  if (ms < HOUR) return twoUnits(Math.max(ms, MINUTE), MINUTE, 'm', SECOND, 's');
  if (ms < DAY) return twoUnits(ms, HOUR, 'h', MINUTE, 'm');
  return twoUnits(ms, DAY, 'd', HOUR, 'h');
}

/** The longest unit only: `41 m`, `3 h`. For what changes slowly, so that the page does not change each second. */
export function sayAge(ageMs: number): string {
  if (ageMs < MINUTE) return 'under a minute';
  if (ageMs < HOUR) return `${Math.floor(ageMs / MINUTE)} m`;
  if (ageMs < 2 * DAY) return `${Math.floor(ageMs / HOUR)} h`;
  return `${Math.floor(ageMs / DAY)} d`;
}

/** `12,330`, `0.4` below ten. */
export function sayRate(perSecond: number): string {
  if (perSecond === 0 || perSecond >= 10) return sayCount(Math.round(perSecond));
  return perSecond < 0.05 ? 'under 0.1' : perSecond.toFixed(1);
}

/** `0.4 %`, `61 %`; a share of 1 is 100 %. Never rounds an unfinished share up to 100 %. */
export function sayShare(share: number): string {
  const percent = Math.min(1, Math.max(0, share)) * 100;
  if (percent > 0 && percent < 10) return `${percent.toFixed(1)} %`;
  return `${percent < 100 ? Math.min(99, Math.round(percent)) : 100} %`;
}

/** `0.431`. */
export function sayLoss(loss: number): string {
  return Math.abs(loss) >= 100 ? loss.toPrecision(3) : loss.toFixed(3);
}

/** `06:28:29 UTC`. */
export function sayTime(atMs: number): string {
  if (!Number.isFinite(atMs)) return 'unknown';
  return `${new Date(atMs).toISOString().slice(11, 19)} UTC`;
}

/** `21 Nov 06:28:29 UTC`. */
export function sayMoment(atMs: number): string {
  if (!Number.isFinite(atMs)) return 'unknown';
  const date = new Date(atMs);
  const month = date.toLocaleString('en-US', { month: 'short', timeZone: 'UTC' });
  return `${date.getUTCDate()} ${month} ${sayTime(atMs)}`;
}

/** `12 B`, `4.0 KiB`, `12 MiB`. */
export function sayBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const [value, unit] = bytes < 1024 * 1024 ? [bytes / 1024, 'KiB'] : [bytes / 1024 / 1024, 'MiB'];
  return `${value < 10 ? value.toFixed(1) : sayCount(value)} ${unit}`;
}

/** Text from data with what cannot be seen, or would turn the line around, shown as its number: `\x1f`, `\u{202e}`. */
export function showHidden(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

/** Text from data for a line: with what cannot be seen made visible, and cut. */
export function cutText(text: string, maxCharacters = MAX_LINE_CHARACTERS): string {
  const shown = showHidden(text.slice(0, maxCharacters + 1));
  return shown.length <= maxCharacters ? shown : `${shown.slice(0, maxCharacters - 1)}…`;
}

/** A word of a command that people copy into a shell: what is not plain is quoted, so that data never runs there. */
export function quoteForShell(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  return `'${showHidden(word).replaceAll("'", `'\\''`)}'`;
}

function twoUnits(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const smalls = Math.floor(ms / small);
  const perLarge = large / small;
  const rest = smalls % perLarge;
  return `${Math.floor(smalls / perLarge)} ${largeName}${rest === 0 ? '' : ` ${rest} ${smallName}`}`;
}
