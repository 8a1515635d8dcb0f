/** What a flight's event holds. */
export interface FlightEvent {
  readonly date: string;
  readonly delay: number;
  readonly distance: number;
  readonly origin: string;
  readonly destination: string;
}

/** A row as the official client takes it. */
export type PeerRow = Readonly<Record<string, string | number>>;

const HOUR_MS = 3_600_000;
const ZONE = 'America/Chicago';
const parts = new Intl.DateTimeFormat('en-US', { timeZone: ZONE, timeZoneName: 'longOffset', hour: '2-digit' });
const offsets = new Map<string, number>();

/** Reads one record's JSON as the peer does. */
export function parseFlight(bytes: Buffer): FlightEvent {
  const event: FlightEvent = JSON.parse(bytes.toString());
  return event;
}

/**
 * The peer's mapping: the event's fields, and the local time to UTC with the zone's offset kept for each local hour.
 *
 * @param read `JSON.parse` unless given
 */
export function peerRow(key: Buffer | null, value: Buffer | null, read = parseFlight): PeerRow {
  if (key === null || value === null) throw new Error('The peer takes no tombstones');
  const event = read(value);
  return {
    FlightId: key.toString(),
    DepartedAt: utcOf(event.date),
    DelayMinutes: event.delay,
    DistanceMiles: event.distance,
    Origin: event.origin,
    Destination: event.destination,
  };
}

function utcOf(date: string): string {
  const local = `${date.slice(0, 4)}-${date.slice(5, 7)}-${date.slice(8, 10)}T${date.slice(11, 16)}:00Z`;
  const hour = local.slice(0, 13);
  const localMs = Date.parse(local);
  let offset = offsets.get(hour);
  if (offset === undefined) {
    // Twice: the offset at the local time read as UTC may be that of the other side of a change.
    offset = offsetAt(localMs - offsetAt(localMs));
    offsets.set(hour, offset);
  }
  return new Date(localMs - offset).toISOString();
}

/** Milliseconds that the zone is ahead of UTC. */
function offsetAt(utcMs: number): number {
  const name = parts.formatToParts(utcMs).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const [, sign, hours, minutes = '0'] = /GMT([+-])(\d\d):?(\d\d)?/.exec(name) ?? [];
  return (sign === '-' ? -1 : 1) * (Number(hours ?? 0) + Number(minutes) / 60) * HOUR_MS;
}
