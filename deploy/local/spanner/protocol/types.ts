import type { google as types } from '@google-cloud/spanner-api/build/protos/protos.js';
import type { SpannerType, StructField } from '../values.ts';
import { google } from './messages.ts';

const { TypeCode } = google.spanner.v1;

/** `google.spanner.v1.Type` of a type. */
export function typeMessage(type: SpannerType): types.spanner.v1.IType {
  if (type.code === 'ARRAY') return { code: TypeCode.ARRAY, arrayElementType: typeMessage(type.element) };
  if (type.code === 'STRUCT') return { code: TypeCode.STRUCT, structType: rowType(type.fields) };
  return { code: TypeCode[type.code] };
}

/** `google.spanner.v1.StructType` of a result's fields. */
export function rowType(fields: readonly StructField[]): types.spanner.v1.IStructType {
  return { fields: fields.map(({ name, type }) => ({ name, type: typeMessage(type) })) };
}
