import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import { emptySchema } from '../ddl/empty-schema.ts';
import type { Cell, SpannerType } from '../values.ts';
import { analyzerOptions, BUILTIN_DESCRIPTORS } from './analyzer-options.ts';
import { toCatalog } from './catalog.ts';
import { prepareSql } from './prepare-sql.ts';
import { decodeMessage, encodeMessage } from './protos.ts';
import { decodeRows } from './table-content.ts';
import { fromTypeProto, toTypeProto } from './type-proto.ts';
import type { ZetaSqlSession } from './zetasql.ts';

/** Which types assign to which without a cast, besides a type to itself; a literal may more. */
const COERCIONS: Readonly<Record<string, readonly string[]>> = {
  FLOAT64: ['INT64', 'NUMERIC', 'FLOAT32'],
  FLOAT32: ['INT64', 'NUMERIC', 'FLOAT64'],
  NUMERIC: ['INT64'],
  DATE: ['STRING'],
  TIMESTAMP: ['STRING'],
  UUID: ['STRING'],
};

/** Evaluates an expression that reads no table, and fits its value to a column's type. */
export async function evaluateExpression(
  session: ZetaSqlSession,
  expression: string,
  type: SpannerType,
): Promise<Cell> {
  const own = await evaluate(session, prepareSql(`SELECT (${expression})`, emptySchema));
  if (own.cell === null || sameType(own.type, type)) return own.cell;
  if (!COERCIONS[type.code]?.includes(own.type.code) && !isEmptyArray(own.cell, type)) {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      `The expression (${expression}) has type ${own.type.code}, which does not become ${type.code}: cast it`,
    );
  }
  if (type.code === 'UUID') return String(own.cell).toLowerCase();
  if (type.code === 'ARRAY') return own.cell;
  return (await evaluate(session, prepareSql(`SELECT CAST((${expression}) AS ${type.code})`, emptySchema))).cell;
}

async function evaluate(session: ZetaSqlSession, sql: string): Promise<{ type: SpannerType; cell: Cell }> {
  const request = encodeMessage('zetasql.local_service.EvaluateQueryRequest', {
    sql,
    options: analyzerOptions(session, {}),
    descriptor_pool_list: BUILTIN_DESCRIPTORS,
    simple_catalog: toCatalog([], session.language),
  });
  const answer = await session.server.call('EvaluateQuery', request);
  const { prepared } = decodeMessage('zetasql.local_service.EvaluateQueryResponse', answer) as {
    prepared: { columns: { type: Record<string, unknown> }[] };
  };
  const type = fromTypeProto(prepared.columns[0]?.type ?? {});
  return { type, cell: decodeRows(answer, [type])[0]?.[0] ?? null };
}

function isEmptyArray(cell: Cell, type: SpannerType): boolean {
  return type.code === 'ARRAY' && Array.isArray(cell) && cell.length === 0;
}

function sameType(one: SpannerType, other: SpannerType): boolean {
  return JSON.stringify(toTypeProto(one)) === JSON.stringify(toTypeProto(other)) && other.code !== 'UUID';
}
