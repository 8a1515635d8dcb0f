import { type DatePart, datePart } from './date-part.ts';

const DAY_SECONDS = 86_400;

/**
 * `datePart` of many local times: hours, minutes and weekdays, which most feeds have, in loops of their own.
 *
 * @param localSeconds seconds since 1970 in local time
 */
export function dateParts(part: DatePart, localSeconds: Float64Array, count: number, into: Int32Array): void {
  switch (part) {
    case 'hour':
      hours(localSeconds, count, into);
      return;
    case 'minute':
      minutes(localSeconds, count, into);
      return;
    case 'weekday':
      weekdays(localSeconds, count, into);
      return;
    default:
      for (let at = 0; at < count; at += 1) into[at] = datePart(part, localSeconds[at] ?? 0);
  }
}

/** Divided by a number that is written out: V8 multiplies then. */
function hours(localSeconds: Float64Array, count: number, into: Int32Array): void {
  for (let at = 0; at < count; at += 1) into[at] = (secondOfDay(localSeconds[at] ?? 0) / 3600) | 0;
}

function minutes(localSeconds: Float64Array, count: number, into: Int32Array): void {
  for (let at = 0; at < count; at += 1) into[at] = ((secondOfDay(localSeconds[at] ?? 0) / 60) | 0) % 60;
}

function secondOfDay(seconds: number): number {
  return (seconds - Math.floor(seconds / DAY_SECONDS) * DAY_SECONDS) | 0;
}

function weekdays(localSeconds: Float64Array, count: number, into: Int32Array): void {
  for (let at = 0; at < count; at += 1) {
    // 1970 began on a Thursday; a whole number of weeks more keeps the days of all years from 1 on positive.
    into[at] = ((Math.floor((localSeconds[at] ?? 0) / DAY_SECONDS) + 3 + 7 * 200_000) | 0) % 7;
  }
}
