import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { Table } from '../schema.ts';
import type { Cell, StructField } from '../values.ts';
import { type AnalyzedQuery, bindQuery } from './analyze-query.ts';
import { analyzerOptions, BUILTIN_DESCRIPTORS } from './analyzer-options.ts';
import { toCatalog } from './catalog.ts';
import { informationSchemaRows } from './information-schema.ts';
import { type BoundParameter, encodeParameters } from './parameters.ts';
import { encodeMessage } from './protos.ts';
import type { SqlQuery } from './sql-query.ts';
import { decodeRows, encodeRows, tableContentEntry } from './table-content.ts';
import { toTypeProto } from './type-proto.ts';
import type { ZetaSqlSession } from './zetasql.ts';

/** The native server's gRPC refuses larger messages, and its limit cannot be raised. */
const MAX_REQUEST_BYTES = 4 * 1024 * 1024;
const CONTENT_FIELD = 7;

export interface SqlResult {
  readonly fields: readonly StructField[];
  readonly rows: readonly (readonly Cell[])[];
  /** The user tables that were read, by name. */
  readonly tables: readonly string[];
}

/** Runs a query: first its analysis, then its evaluation over the columns that it reads. */
export async function runQuery(session: ZetaSqlSession, query: SqlQuery): Promise<SqlResult> {
  const bound = await bindQuery(session, query);
  const { fields, scans } = bound.analysis;
  const contents = bound.tables.map((table) => {
    const used = scans.get(table.name) ?? new Set<number>();
    return tableContentEntry(CONTENT_FIELD, table.name, encodeRows(table.columns, used, rowsOf(table, query)));
  });
  const request = Buffer.concat([encodeHead(session, bound), encodeParameters(bound.params), ...contents]);
  if (request.length > MAX_REQUEST_BYTES) {
    throw new RpcError(
      status.RESOURCE_EXHAUSTED,
      `The columns that the query reads take ${request.length} bytes: the laptop's SQL evaluator takes ${MAX_REQUEST_BYTES}`,
    );
  }
  const answer = await session.server.call('EvaluateQuery', request);
  const types = fields.map((field) => field.type);
  return { fields, rows: decodeRows(answer, types), tables: userTables(bound, query) };
}

/** The user tables that a query reads, by name. */
export function userTables({ tables }: AnalyzedQuery, { schema }: Pick<SqlQuery, 'schema'>): string[] {
  return tables.filter((table) => schema.tables.get(table.name.toLowerCase()) === table).map((table) => table.name);
}

function encodeHead(
  session: ZetaSqlSession,
  { sql, tables, params }: AnalyzedQuery & { params: readonly BoundParameter[] },
): Uint8Array {
  return encodeMessage('zetasql.local_service.EvaluateQueryRequest', {
    sql,
    options: analyzerOptions(session, {
      query_parameters: params.map(({ name, type }) => ({ name, type: toTypeProto(type) })),
    }),
    descriptor_pool_list: BUILTIN_DESCRIPTORS,
    simple_catalog: toCatalog(tables, session.language),
  });
}

function rowsOf(table: Table, query: SqlQuery): Iterable<readonly Cell[]> {
  return informationSchemaRows(table.name, query.schema) ?? query.rows(table);
}
