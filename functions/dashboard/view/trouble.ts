import { ConfigError, messageOf, PenstockError } from '../../../shared/base/errors.ts';

const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const MAX_DETAIL_CHARACTERS = 500;

/** Why the page cannot be made, as its reader should hear it. */
export interface Trouble {
  readonly title: string;
  readonly detail: string;
  readonly command?: string;
  /** False for what nobody foresaw. */
  readonly expected: boolean;
}

/** Tells what went wrong and what to do, without giving away more than the reader needs. */
export function explainTrouble(error: unknown): Trouble {
  if (error instanceof ConfigError) {
    return { title: 'The dashboard is not set up', detail: cut(error.message), expected: true };
  }
  if (error instanceof PenstockError) {
    return { title: cut(error.message), detail: `${error.remedy}.`, expected: true };
  }
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  const message = messageOf(error);
  // Of a read, and of a query.
  const isMissing = code === NOT_FOUND || (code === INVALID_ARGUMENT && /not found/i.test(message));
  if (isMissing && /table|index/i.test(message)) {
    const detail =
      'The database is there, but Penstock’s control tables are not. Create them, then this page shows itself.';
    return { title: 'Nothing is set up yet', detail, command: 'npx penstock migrate', expected: true };
  }
  if (code === NOT_FOUND) {
    const detail = `Spanner says: ${cut(message)}`;
    return { title: 'The database does not exist', detail, command: 'npx penstock check', expected: true };
  }
  if (code === PERMISSION_DENIED) {
    const detail = 'The dashboard’s database role may not read some column of the control tables. Grant what it needs:';
    return { title: 'Spanner refused the read', detail, command: 'npx penstock migrate --access', expected: true };
  }
  if (typeof code === 'number') {
    const detail = 'The page tries again by itself.';
    return { title: 'Spanner does not answer', detail, command: 'npx penstock check', expected: true };
  }
  return { title: 'The page could not be made', detail: 'The function’s log says why.', expected: false };
}

function cut(text: string): string {
  return text.length <= MAX_DETAIL_CHARACTERS ? text : `${text.slice(0, MAX_DETAIL_CHARACTERS)}…`;
}
