/** `yyyy-MM-dd`. */
export const DATE_LENGTH = 10;

/** Days since 1970 of a day of the Gregorian calendar. Source: Howard Hinnant, chrono-Compatible Low-Level Date Algorithms. */
export function dayNumber(year: number, month: number, day: number): number {
  const shifted = month > 2 ? year : year - 1;
  const era = Math.floor(shifted / 400);
  const ofEra = shifted - era * 400;
  const ofYear = ((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) | 0;
  return era * 146_097 + ofEra * 365 + ((ofEra / 4) | 0) - ((ofEra / 100) | 0) + ofYear + day - 1 - 719_468;
}

/** 0001-01-01 and 9999-12-31, in days since 1970. */
export const MIN_DAY = dayNumber(1, 1, 1);
export const MAX_DAY = dayNumber(9999, 12, 31);

/** Writes days as `yyyy-MM-dd`, and keeps the last one. */
export class DayText {
  private readonly text = new Uint8Array(DATE_LENGTH);
  private number = Number.NaN;

  /** @param number days since 1970, of a year from 1 to 9999 */
  write(out: Uint8Array, at: number, number: number): void {
    if (number !== this.number) this.take(number);
    const { text } = this;
    for (let byte = 0; byte < DATE_LENGTH; byte++) out[at + byte] = text[byte] ?? 0;
  }

  private take(number: number): void {
    const shifted = number + 719_468;
    const era = Math.floor(shifted / 146_097);
    const ofEra = shifted - era * 146_097;
    const yearOfEra = ((ofEra - ((ofEra / 1460) | 0) + ((ofEra / 36_524) | 0) - ((ofEra / 146_096) | 0)) / 365) | 0;
    const ofYear = ofEra - (365 * yearOfEra + ((yearOfEra / 4) | 0) - ((yearOfEra / 100) | 0));
    const shiftedMonth = ((5 * ofYear + 2) / 153) | 0;
    const day = ofYear - (((153 * shiftedMonth + 2) / 5) | 0) + 1;
    const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
    const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
    const { text } = this;
    writeTwo(text, 0, (year / 100) | 0);
    writeTwo(text, 2, year % 100);
    text[4] = 0x2d;
    writeTwo(text, 5, month);
    text[7] = 0x2d;
    writeTwo(text, 8, day);
    this.number = number;
  }
}

/** Two digits of a number below 100. */
export function writeTwo(out: Uint8Array, at: number, value: number): void {
  const tens = (value / 10) | 0;
  out[at] = 0x30 + tens;
  out[at + 1] = 0x30 + value - tens * 10;
}
