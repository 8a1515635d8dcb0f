/** Why a record can never become a row, however often it is tried. */
export type PoisonClass = 'undecodable' | 'unmappable' | 'constraint' | 'too-large';

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
