const DAY_SECONDS = 86_400;
const DAYS_PER_400_YEARS = 146_097;

/** The parts that a tensor can be made of. */
export type DatePart = 'year' | 'month' | 'day' | 'weekday' | 'hour' | 'minute';

/** Lowest value of each part: the value that a one-hot's first place stands for. */
export const firstOfPart: Readonly<Record<DatePart, number>> = {
  year: 1,
  month: 1,
  day: 1,
  weekday: 0,
  hour: 0,
  minute: 0,
};

/** How many values each part has; a one-hot of it needs as many places. */
export const countOfPart: Readonly<Record<DatePart, number>> = {
  year: 9999,
  month: 12,
  day: 31,
  weekday: 7,
  hour: 24,
  minute: 60,
};

/**
 * A part of a local time: months and days from 1; weekdays from 0, which is Monday.
 *
 * @param localSeconds seconds since 1970 in local time
 */
export function datePart(part: DatePart, localSeconds: number): number {
  const days = Math.floor(localSeconds / DAY_SECONDS);
  switch (part) {
    case 'minute':
      return Math.floor((localSeconds - days * DAY_SECONDS) / 60) % 60;
    case 'hour':
      return Math.floor((localSeconds - days * DAY_SECONDS) / 3600);
    case 'weekday':
      // 1970 began on a Thursday.
      return (((days + 3) % 7) + 7) % 7;
    case 'year':
    case 'month':
    case 'day':
      return civil(days)[part];
  }
}

/** Howard Hinnant's `civil_from_days`: years that begin in March, in eras of 400. https://howardhinnant.github.io/date_algorithms.html */
function civil(daysSince1970: number): { year: number; month: number; day: number } {
  const shifted = daysSince1970 + 719_468;
  const era = Math.floor(shifted / DAYS_PER_400_YEARS);
  const dayOfEra = shifted - era * DAYS_PER_400_YEARS;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const march = Math.floor((5 * dayOfYear + 2) / 153);
  const month = march < 10 ? march + 3 : march - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * march + 2) / 5) + 1,
  };
}
