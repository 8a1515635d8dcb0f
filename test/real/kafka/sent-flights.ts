import type { Flight } from '../../../deploy/cli/demo/flights.ts';
import type { Sent } from '../../../deploy/cli/demo/verify.ts';

/** Flights that a broker has acknowledged, to hold Spanner against. */
export interface SentFlights extends Sent {
  add(flights: readonly Flight[]): void;
}

/** Starts with none. */
export function sentFlights(): SentFlights {
  const flightIds = new Set<string>();
  const flightsByOrigin = new Map<string, number>();
  return {
    flightIds,
    flightsByOrigin,
    airports: new Set(),
    add(flights) {
      for (const { id, origin } of flights) {
        flightIds.add(id);
        flightsByOrigin.set(origin, (flightsByOrigin.get(origin) ?? 0) + 1);
      }
    },
  };
}
