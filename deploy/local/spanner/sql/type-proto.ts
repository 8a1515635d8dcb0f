import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { ScalarCode, SpannerType } from '../values.ts';
import type { Message } from './protos.ts';

/** ZetaSQL's build has no UUID: such values are strings to it. */
const KINDS: Readonly<Record<ScalarCode, string>> = {
  BOOL: 'TYPE_BOOL',
  INT64: 'TYPE_INT64',
  FLOAT32: 'TYPE_FLOAT',
  FLOAT64: 'TYPE_DOUBLE',
  NUMERIC: 'TYPE_NUMERIC',
  STRING: 'TYPE_STRING',
  BYTES: 'TYPE_BYTES',
  JSON: 'TYPE_JSON',
  DATE: 'TYPE_DATE',
  TIMESTAMP: 'TYPE_TIMESTAMP',
  UUID: 'TYPE_STRING',
};
const CODES: ReadonlyMap<string, ScalarCode> = new Map(
  (Object.keys(KINDS) as ScalarCode[]).filter((code) => code !== 'UUID').map((code) => [KINDS[code], code]),
);

/** A Spanner type as ZetaSQL's TypeProto. */
export function toTypeProto(type: SpannerType): Message {
  if (type.code === 'ARRAY')
    return { type_kind: 'TYPE_ARRAY', array_type: { element_type: toTypeProto(type.element) } };
  if (type.code === 'STRUCT') {
    const field = type.fields.map(({ name, type }) => ({ field_name: name, field_type: toTypeProto(type) }));
    return { type_kind: 'TYPE_STRUCT', struct_type: { field } };
  }
  return { type_kind: KINDS[type.code] };
}

/**
 * ZetaSQL's TypeProto as a Spanner type.
 *
 * @throws {RpcError} INVALID_ARGUMENT for types that Spanner has not, such as DATETIME
 */
export function fromTypeProto(proto: Message): SpannerType {
  const kind = String(proto.type_kind);
  const code = CODES.get(kind);
  if (code) return { code };
  if (kind === 'TYPE_ARRAY') {
    const { element_type } = proto.array_type as { element_type: Message };
    return { code: 'ARRAY', element: fromTypeProto(element_type) };
  }
  if (kind === 'TYPE_STRUCT') {
    const { field = [] } = (proto.struct_type ?? {}) as { field?: { field_name?: string; field_type: Message }[] };
    return {
      code: 'STRUCT',
      fields: field.map(({ field_name = '', field_type }) => ({ name: field_name, type: fromTypeProto(field_type) })),
    };
  }
  throw new RpcError(
    status.INVALID_ARGUMENT,
    `Spanner has no type ${kind.replace('TYPE_', '')}: cast the value to one it has, such as STRING or TIMESTAMP`,
  );
}
