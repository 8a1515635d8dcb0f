import type { TokenCursor } from './token-cursor.ts';

/** Parses `CASCADE` or `NO ACTION`. */
export function parseOnDelete(cursor: TokenCursor): 'CASCADE' | 'NO ACTION' {
  if (cursor.take('CASCADE')) return 'CASCADE';
  if (cursor.take('NO', 'ACTION')) return 'NO ACTION';
  throw cursor.unexpected("'CASCADE' or 'NO ACTION'");
}
