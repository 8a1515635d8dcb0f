import { type ExpectedHistory, fingerprint } from './history.ts';
import type { Damage } from './history-checker.ts';

/** One row of `Events`. */
export interface EventRow {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly sequence: string;
  readonly token: string;
}

/** Holds the one table that grows with the records against them, row by row. */
export interface EventsCheck {
  see(row: EventRow): void;
  damages(): Damage[];
}

/** Begins with no row seen. */
export function openEventsCheck({ partitions }: ExpectedHistory): EventsCheck {
  const places = partitions.map(({ offsets }) => new Map(offsets.map((offset, place) => [offset, place])));
  const seen = partitions.map(({ offsets }) => new Uint8Array(offsets.length));
  const damages: Damage[] = [];
  return {
    see({ partition, offset, key, sequence, token }) {
      const where = `Events ${partition}/${offset}`;
      const place = places[partition]?.get(offset);
      const wanted = place === undefined ? undefined : partitions[partition]?.events[place];
      const rows = seen[partition];
      if (place === undefined || !wanted || !rows) {
        const what = place === undefined ? 'no such record was produced' : 'poison became a row';
        damages.push({ kind: 'unknown', where, what, records: 1 });
        return;
      }
      if (rows[place]) damages.push({ kind: 'doubled', where, what: 'came twice from one read', records: 1 });
      rows[place] = 1;
      if (wanted === fingerprint([`${partition}/${offset}`, key, sequence, token])) return;
      damages.push({ kind: 'reordered', where, what: `holds ${key} ${sequence} ${token}, another record`, records: 1 });
    },
    damages() {
      const lost = partitions.flatMap(({ offsets, events }, partition) =>
        offsets
          .filter((_, place) => events[place] !== 0 && !seen[partition]?.[place])
          .map((offset): Damage => {
            return { kind: 'lost', where: `Events ${partition}/${offset}`, what: 'has no row', records: 1 };
          }),
      );
      return [...damages, ...lost];
    },
  };
}
