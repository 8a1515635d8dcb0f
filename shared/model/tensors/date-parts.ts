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
      dayParts(localSeconds, count, into, 3600);
      return;
    case 'minute':
      dayParts(localSeconds, count, into, 60);
      for (let at = 0; at < count; at += 1) into[at] = (into[at] ?? 0) % 60;
      return;
    case 'weekday':
      weekdays(localSeconds, count, into);
      return;
    default:
      for (let at = 0; at < count; at += 1) into[at] = datePart(part, localSeconds[at] ?? 0);
  }
}

/** How many whole parts of `partSeconds` a day has had. */
function dayParts(localSeconds: Float64Array, count: number, into: Int32Array, partSeconds: number): void {
  for (let at = 0; at < count; at += 1) {
    const seconds = localSeconds[at] ?? 0;
    const ofDay = (seconds - Math.floor(seconds / DAY_SECONDS) * DAY_SECONDS) | 0;
    into[at] = (ofDay / partSeconds) | 0;
  }
}

function weekdays(localSeconds: Float64Array, count: number, into: Int32Array): void {
  for (let at = 0; at < count; at += 1) {
    // 1970 began on a Thursday; a whole number of weeks more keeps the days of all years from 1 on positive.
    into[at] = ((Math.floor((localSeconds[at] ?? 0) / DAY_SECONDS) + 3 + 7 * 200_000) | 0) % 7;
  }
}
