/**
 * Why a record can never become a row, however often it is tried.
 *
 * `undecodable`: its bytes are not what the format says. `unmappable`: its fields do not make a row. `too-large`: over a
 * limit of Spanner. `constraint`: Spanner refuses the row, or a sum leaves its column's range. `conflict`: the row is there
 * already (mode insert), is not there (mode update), or the event's id came before with another payload.
 */
export type PoisonClass = 'undecodable' | 'unmappable' | 'constraint' | 'too-large' | 'conflict';

/** Thrown while a record is read; caught once, at the record's edge. */
export class PoisonError extends Error {
  readonly poison: PoisonClass;

  constructor(poison: PoisonClass, reason: string) {
    super(reason);
    this.name = 'PoisonError';
    this.poison = poison;
  }
}

const MAX_SHOWN_CHARACTERS = 80;

/** A value as a reason may show it: quoted, on one line, and cut. */
export function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : String(value);
  const cut = text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}…` : text;
  return JSON.stringify(cut.toWellFormed());
}
