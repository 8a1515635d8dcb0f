import { PenstockError } from '../../base/errors.ts';
import type { ColumnBlock } from '../tensors/column-vector.ts';
import { compareKeys, type Key, type KeyColumn } from './key.ts';
import { keyAt } from './key-at.ts';

/**
 * Makes the check of blocks that come in key order: a key that comes twice would make a row of the two vanish where a reader goes on
 * behind the other.
 *
 * @param source.after the last key before the first block
 * @returns a function that throws a {@link PenstockError} with code `KEY_NOT_UNIQUE`
 */
export function growingKeys(source: {
  readonly name: string;
  readonly key: readonly KeyColumn[];
  readonly after?: Key | undefined;
}): (block: ColumnBlock) => void {
  const { name, key } = source;
  let last = source.after;
  return (block) => {
    for (let row = 0; row < block.rowCount; row += 1) {
      const next = keyAt(block, key.length, row);
      if (last !== undefined && compareKeys(key, last, next) >= 0) throw notGrowing(name, key, last, next);
      last = next;
    }
  };
}

function notGrowing(name: string, key: readonly KeyColumn[], last: Key, next: Key): PenstockError {
  const columns = key.map((column) => column.name).join(', ');
  const message = `Rows of ${name} do not grow by (${columns}): behind ${JSON.stringify(last)} comes ${JSON.stringify(next)}`;
  return new PenstockError(message, {
    code: 'KEY_NOT_UNIQUE',
    remedy: 'Name so many columns in `key` that each row has a key of its own',
    retryable: false,
  });
}
