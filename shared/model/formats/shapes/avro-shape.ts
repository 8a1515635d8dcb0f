import type { AvroType } from '../avro/avro-type.ts';
import type { Meaning } from '../meaning.ts';
import {
  anyShape,
  boolCodes,
  bytesCodes,
  dateCodes,
  decimalCodes,
  type FieldShape,
  floatCodes,
  scalarShape,
  textCodes,
  timestampCodes,
  uuidCodes,
  type ValueShape,
  wholeCodes,
} from './value-shape.ts';

/** What values of an Avro type are. */
export function avroShape(type: AvroType): ValueShape {
  switch (type.kind) {
    case 'boolean':
      return scalarShape(boolCodes);
    case 'int':
    case 'long':
      return scalarShape(wholeCodes);
    case 'float':
      return scalarShape(['FLOAT32', ...floatCodes]);
    case 'double':
      return scalarShape(floatCodes);
    case 'bytes':
    case 'fixed':
      return scalarShape(bytesCodes);
    case 'string':
      return scalarShape(textCodes);
    case 'enum':
      return scalarShape(textCodes, Math.max(0, ...type.symbols.map(({ length }) => length)));
    case 'meaning':
      return meaningShape(type.meaning);
    case 'array':
      return { kind: 'list', items: avroShape(type.items) };
    case 'union':
      return unionShape(type.branches);
    case 'record':
      return recordShape(type);
    case 'map':
    case 'null':
      return anyShape;
  }
}

function recordShape({ fields }: Extract<AvroType, { kind: 'record' }>): ValueShape {
  return {
    kind: 'object',
    names: fields.map(({ name }) => name),
    isOpen: false,
    field: (name): FieldShape | undefined => {
      const field = fields.find((one) => one.name === name);
      return field && { shape: avroShape(field.type), optional: isNullable(field.type) };
    },
  };
}

function isNullable(type: AvroType): boolean {
  return type.kind === 'null' || (type.kind === 'union' && type.branches.some(isNullable));
}

/** Null and one other type is that type. */
function unionShape(branches: readonly AvroType[]): ValueShape {
  const [only, ...others] = branches.filter(({ kind }) => kind !== 'null');
  return only && others.length === 0 ? avroShape(only) : anyShape;
}

function meaningShape({ name }: Meaning): ValueShape {
  switch (name) {
    case 'decimal':
    case 'big-decimal':
    case 'variable-scale-decimal':
      return scalarShape(decimalCodes);
    case 'timestamp':
      return scalarShape(timestampCodes);
    case 'date':
      return scalarShape(dateCodes);
    case 'uuid':
      return scalarShape(uuidCodes);
    case 'time':
    case 'local-timestamp':
      return scalarShape(['STRING', 'JSON']);
    case 'duration':
      return scalarShape([]);
    case 'json':
      return anyShape;
  }
}
