import type { ColumnCode } from '../../../model/tensors/column-vector.ts';
import { eachField, readFieldEnd, readVarint, type WireCursor, wireBytes, wireVarint } from './protobuf-wire.ts';
import { DecodeError } from './reader-error.ts';

/**
 * Wire types of the fields, by number, of `StructType.Field` and `Type`. A field that we know in another wire type is a
 * damaged one: passing over it could make a list's element the type of the column.
 */
const FIELD_KINDS = [-1, wireBytes, wireBytes];
const TYPE_KINDS = [-1, wireVarint, wireBytes, wireBytes, wireVarint, wireBytes];

/** A column of a result as its metadata describes it. */
export interface ResultColumn {
  readonly name: string;
  readonly code: ColumnCode;
  readonly array: boolean;
}

const ARRAY = 8;

/** google.spanner.v1.TypeCode. */
const codes: Readonly<Record<number, ColumnCode>> = {
  1: 'BOOL',
  2: 'INT64',
  3: 'FLOAT64',
  4: 'TIMESTAMP',
  5: 'DATE',
  6: 'STRING',
  7: 'BYTES',
  10: 'NUMERIC',
  11: 'JSON',
  15: 'FLOAT32',
  17: 'UUID',
};

/** Reads `google.spanner.v1.ResultSetMetadata`: the names and types of the columns. */
export function readResultMetadata(cursor: WireCursor): ResultColumn[] {
  const columns: ResultColumn[] = [];
  inside(cursor, 1, () => inside(cursor, 1, () => columns.push(readColumn(cursor))));
  return columns;
}

function readColumn(cursor: WireCursor): ResultColumn {
  let name = '';
  let type: Pick<ResultColumn, 'code' | 'array'> | undefined;
  eachField(cursor, (field, wireType) => {
    expectKind(FIELD_KINDS, field, wireType);
    if (field === 1) {
      const end = readFieldEnd(cursor);
      name = cursor.bytes.toString('utf8', cursor.at, end);
      cursor.at = end;
      return true;
    }
    if (field !== 2) return false;
    type = readType(cursor, readFieldEnd(cursor), name);
    return true;
  });
  if (type === undefined) throw new DecodeError(`column ${name} has no type`);
  return { name, ...type };
}

function readType(cursor: WireCursor, end: number, name: string): Pick<ResultColumn, 'code' | 'array'> {
  let code = 0;
  let element: Pick<ResultColumn, 'code' | 'array'> | undefined;
  const outer = cursor.end;
  cursor.end = end;
  eachField(cursor, (field, wireType) => {
    expectKind(TYPE_KINDS, field, wireType);
    if (field === 1) {
      code = readVarint(cursor);
      return true;
    }
    if (field !== 2) return false;
    element = readType(cursor, readFieldEnd(cursor), name);
    return true;
  });
  cursor.end = outer;
  const known = codes[code === ARRAY ? -1 : code];
  if (code === ARRAY && element !== undefined && !element.array) return { code: element.code, array: true };
  if (known === undefined) throw new DecodeError(`column ${name} has type ${code}, which no tensor is made of`);
  return { code: known, array: false };
}

function expectKind(kinds: readonly number[], field: number, wireType: number): void {
  if ((kinds[field] ?? wireType) !== wireType) throw new DecodeError(`field ${field} is of another kind`);
}

/** Visits each occurrence of one embedded field of the message that the cursor stands in. */
function inside(cursor: WireCursor, wanted: number, visit: () => void): void {
  eachField(cursor, (field, wireType) => {
    if (field !== wanted) return false;
    if (wireType !== wireBytes) throw new DecodeError(`field ${field} is of another kind`);
    const end = readFieldEnd(cursor);
    const outer = cursor.end;
    cursor.end = end;
    visit();
    cursor.at = end;
    cursor.end = outer;
    return true;
  });
}
