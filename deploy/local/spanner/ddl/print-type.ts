import type { Column } from '../schema.ts';
import type { SpannerType } from '../values.ts';

/** A column's type as DDL and INFORMATION_SCHEMA write it, such as `STRING(MAX)` or `ARRAY<BYTES(16)>`. */
export function printType(column: Pick<Column, 'type' | 'maxLength'>): string {
  return print(column.type, column.maxLength);
}

function print(type: SpannerType, maxLength: number | undefined): string {
  if (type.code === 'ARRAY') return `ARRAY<${print(type.element, maxLength)}>`;
  if (type.code === 'STRUCT') {
    return `STRUCT<${type.fields.map((field) => `${field.name} ${print(field.type, undefined)}`.trim()).join(', ')}>`;
  }
  if (type.code === 'STRING' || type.code === 'BYTES') return `${type.code}(${maxLength ?? 'MAX'})`;
  return type.code;
}
