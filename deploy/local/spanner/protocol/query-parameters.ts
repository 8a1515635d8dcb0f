import type { google as types } from '@google-cloud/spanner-api/build/protos/protos.js';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { SqlEvaluator } from '../sql/evaluator.ts';
import type { ScalarCode, SpannerType } from '../values.ts';
import { spanner } from './messages.ts';

type IValue = types.protobuf.IValue;
/** Parameters as the SQL evaluator takes them. */
export type QueryParameters = Parameters<SqlEvaluator['query']>[0]['params'];
type ParameterValue = QueryParameters[string]['value'];

const SCALARS: ReadonlySet<string> = new Set<ScalarCode>([
  'BOOL',
  'INT64',
  'FLOAT32',
  'FLOAT64',
  'NUMERIC',
  'STRING',
  'BYTES',
  'JSON',
  'DATE',
  'TIMESTAMP',
  'UUID',
]);

/** A query's parameters with the types that the request declares. */
export function queryParameters(request: types.spanner.v1.IExecuteSqlRequest): QueryParameters {
  const parameters: Record<string, QueryParameters[string]> = {};
  const declared = request.paramTypes ?? {};
  for (const [name, value] of Object.entries(request.params?.fields ?? {})) {
    const type = declared[name];
    parameters[name] = { type: type ? toType(type) : undefined, value: plain(value) };
  }
  return parameters;
}

function toType(message: types.spanner.v1.IType): SpannerType | undefined {
  const code = typeof message.code === 'number' ? spanner.TypeCode[message.code] : message.code;
  if (code === undefined || code === null || code === 'TYPE_CODE_UNSPECIFIED') return undefined;
  if (isScalar(code)) return { code };
  if (code === 'ARRAY') {
    const element = message.arrayElementType && toType(message.arrayElementType);
    if (element) return { code: 'ARRAY', element };
  }
  if (code === 'STRUCT') {
    const fields = message.structType?.fields ?? [];
    return {
      code: 'STRUCT',
      fields: fields.map(({ name, type }) => ({ name: name ?? '', type: (type && toType(type)) ?? { code: 'INT64' } })),
    };
  }
  throw new RpcError(status.INVALID_ARGUMENT, `A query parameter cannot have the type ${code}.`);
}

function isScalar(code: string): code is ScalarCode {
  return SCALARS.has(code);
}

function plain(value: IValue): ParameterValue {
  if (typeof value.stringValue === 'string') return value.stringValue;
  if (typeof value.numberValue === 'number') return value.numberValue;
  if (typeof value.boolValue === 'boolean') return value.boolValue;
  if (value.listValue) return (value.listValue.values ?? []).map(plain);
  return null;
}
