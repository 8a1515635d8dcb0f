const DAY_SECONDS = 86_400;
const DAYS_PER_400_YEARS = 146_097;

/** The parts that a tensor can be made of. */
export const datePartNames = [
  'year',
  'isoYear',
  'quarter',
  'month',
  'week',
  'isoWeek',
  'day',
  'dayOfYear',
  'weekday',
  'hour',
  'minute',
  'second',
  'millisecond',
  'microsecond',
  'nanosecond',
] as const;

export type DatePart = (typeof datePartNames)[number];

/** Lowest value of each part: the value that a one-hot's first place stands for. */
export const firstOfPart: Readonly<Record<DatePart, number>> = {
  year: 1,
  isoYear: 0,
  quarter: 1,
  month: 1,
  week: 0,
  isoWeek: 1,
  day: 1,
  dayOfYear: 1,
  weekday: 0,
  hour: 0,
  minute: 0,
  second: 0,
  millisecond: 0,
  microsecond: 0,
  nanosecond: 0,
};

/** How many values each part has; a one-hot of it needs as many places. */
export const countOfPart: Readonly<Record<DatePart, number>> = {
  year: 9999,
  isoYear: 10_000,
  quarter: 4,
  month: 12,
  week: 54,
  isoWeek: 53,
  day: 31,
  dayOfYear: 366,
  weekday: 7,
  hour: 24,
  minute: 60,
  second: 60,
  millisecond: 1_000,
  microsecond: 1_000_000,
  nanosecond: 1_000_000_000,
};

/** True for the parts that a DATE has. */
export function isPartOfDay(part: DatePart): boolean {
  return datePartNames.indexOf(part) <= datePartNames.indexOf('weekday');
}

/** True for the parts that lie within the second. */
export function isFraction(part: DatePart): boolean {
  return part === 'millisecond' || part === 'microsecond' || part === 'nanosecond';
}

/**
 * A part of a local time, as GoogleSQL's EXTRACT gives it: months, quarters and days from 1; weeks begin on Sunday, and those
 * before the year's first Sunday are week 0; ISO weeks from 1; fractions of the second in their own unit. But weekdays count
 * from 0, which is Monday.
 *
 * @param localSeconds seconds since 1970 in local time
 * @param nanos of the second
 * @see https://cloud.google.com/spanner/docs/reference/standard-sql/timestamp_functions#extract
 */
export function datePart(part: DatePart, localSeconds: number, nanos = 0): number {
  const days = Math.floor(localSeconds / DAY_SECONDS);
  const ofDay = localSeconds - days * DAY_SECONDS;
  switch (part) {
    case 'nanosecond':
      return nanos;
    case 'microsecond':
      return Math.floor(nanos / 1_000);
    case 'millisecond':
      return Math.floor(nanos / 1_000_000);
    case 'second':
      return Math.floor(ofDay) % 60;
    case 'minute':
      return Math.floor(ofDay / 60) % 60;
    case 'hour':
      return Math.floor(ofDay / 3600);
    case 'weekday':
      return weekdayOf(days);
    default:
      return partOfDay(part, days);
  }
}

type PartOfDay = Exclude<
  DatePart,
  'hour' | 'minute' | 'second' | 'millisecond' | 'microsecond' | 'nanosecond' | 'weekday'
>;

function partOfDay(part: PartOfDay, days: number): number {
  const date = civil(days);
  switch (part) {
    case 'year':
    case 'month':
    case 'day':
      return date[part];
    case 'quarter':
      return Math.floor((date.month + 2) / 3);
    case 'dayOfYear':
      return days - daysBefore(date.year) + 1;
    case 'week': {
      const dayOfYear = days - daysBefore(date.year);
      const fromSunday = (weekdayOf(days) + 1) % 7;
      return Math.floor((dayOfYear + 7 - fromSunday) / 7);
    }
    case 'isoYear':
      return civil(thursdayOf(days)).year;
    case 'isoWeek': {
      const thursday = thursdayOf(days);
      return Math.floor((thursday - daysBefore(civil(thursday).year)) / 7) + 1;
    }
  }
}

/** 1970 began on a Thursday. */
function weekdayOf(days: number): number {
  return (((days + 3) % 7) + 7) % 7;
}

/** The Thursday of a day's ISO week: its year is the week's. */
function thursdayOf(days: number): number {
  return days - weekdayOf(days) + 3;
}

/** Days from 1970 to a year's first. */
function daysBefore(year: number): number {
  const past = year - 1;
  return past * 365 + Math.floor(past / 4) - Math.floor(past / 100) + Math.floor(past / 400) - 719_162;
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
