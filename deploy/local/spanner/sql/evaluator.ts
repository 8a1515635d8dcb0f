import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { Schema, Table } from '../schema.ts';
import type { Cell, SpannerType, StructField } from '../values.ts';
import { type Analysis, readAnalysis } from './analysis.ts';
import { analyzerOptions, BUILTIN_DESCRIPTORS } from './analyzer-options.ts';
import { tableNamed, toCatalog } from './catalog.ts';
import { classify } from './classify.ts';
import { evaluateExpression } from './expression.ts';
import {
  type BoundParameter,
  bindParameters,
  declaredParameters,
  encodeParameters,
  type QueryParameters,
} from './parameters.ts';
import { prepareSql } from './prepare-sql.ts';
import { decodeMessage, encodeMessage } from './protos.ts';
import { decodeRows, encodeRows, tableContentEntry } from './table-content.ts';
import { toTypeProto } from './type-proto.ts';
import { openZetaSql, type ZetaSqlSession } from './zetasql.ts';

/** The native server's gRPC refuses larger messages, and its limit cannot be raised. */
const MAX_REQUEST_BYTES = 4 * 1024 * 1024;
const CONTENT_FIELD = 7;

export interface SqlQuery {
  readonly sql: string;
  readonly params: QueryParameters;
  readonly schema: Schema;
  /** All rows of a table at the query's timestamp, cells in the order of its columns. Asked once per table that the query reads. */
  rows(table: Table): Iterable<readonly Cell[]>;
}

export interface SqlResult {
  readonly fields: readonly StructField[];
  readonly rows: readonly (readonly Cell[])[];
  /** The user tables that were read, by name. */
  readonly tables: readonly string[];
}

export interface SqlPlan {
  readonly fields: readonly StructField[];
  /** Parameters that the query uses and the request did not declare, with their inferred types. */
  readonly undeclared: readonly StructField[];
  readonly tables: readonly string[];
}

/** GoogleSQL queries through ZetaSQL's own evaluator. */
export interface SqlEvaluator {
  /**
   * Runs a query.
   *
   * @throws {RpcError} INVALID_ARGUMENT with ZetaSQL's message and position; OUT_OF_RANGE and others as ZetaSQL says
   */
  query(query: SqlQuery): Promise<SqlResult>;
  /** Says what a query would give, without rows: for PLAN mode. */
  analyze(query: Omit<SqlQuery, 'rows'>): Promise<SqlPlan>;
  /** The value of a column's DEFAULT, fitted to the column's type. */
  expression(sql: string, type: SpannerType): Promise<Cell>;
  close(): Promise<void>;
}

export async function openSqlEvaluator(): Promise<SqlEvaluator> {
  const zetasql = await openZetaSql();
  return {
    query: (query) => zetasql.use((session) => runQuery(session, query)),
    async analyze(query) {
      const { fields, parameters, scans } = await zetasql.use(
        async (session) => (await analyze(session, query)).analysis,
      );
      const declared = new Set(
        Object.keys(query.params)
          .filter((name) => query.params[name]?.type)
          .map((name) => name.toLowerCase()),
      );
      const undeclared = [...parameters]
        .filter(([name]) => !declared.has(name))
        .map(([name, { type }]) => ({ name, type }));
      return { fields, undeclared, tables: [...scans.keys()] };
    },
    expression: (sql, type) => zetasql.use((session) => evaluateExpression(session, sql, type)),
    close: () => zetasql.close(),
  };
}

async function runQuery(session: ZetaSqlSession, query: SqlQuery): Promise<SqlResult> {
  const { sql, analysis, params } = await bind(session, query);
  const tables = [...analysis.scans.keys()].flatMap((name) => tableNamed(query.schema, name) ?? []);
  const contents = tables.map((table) => {
    const used = analysis.scans.get(table.name) ?? new Set<number>();
    return tableContentEntry(CONTENT_FIELD, table.name, encodeRows(table.columns, used, query.rows(table)));
  });
  const head = encodeMessage('zetasql.local_service.EvaluateQueryRequest', {
    sql,
    options: analyzerOptions(session, {
      query_parameters: params.map(({ name, type }) => ({ name, type: toTypeProto(type) })),
    }),
    descriptor_pool_list: BUILTIN_DESCRIPTORS,
    simple_catalog: toCatalog(tables, session.language),
  });
  const request = Buffer.concat([head, encodeParameters(params), ...contents]);
  if (request.length > MAX_REQUEST_BYTES) {
    throw new RpcError(
      status.RESOURCE_EXHAUSTED,
      `The columns that the query reads take ${request.length} bytes: the laptop's SQL evaluator takes ${MAX_REQUEST_BYTES}`,
    );
  }
  const answer = await session.server.call('EvaluateQuery', request);
  const types = analysis.fields.map((field) => field.type);
  return { fields: analysis.fields, rows: decodeRows(answer, types), tables: tables.map((table) => table.name) };
}

async function bind(
  session: ZetaSqlSession,
  query: SqlQuery,
): Promise<{ sql: string; analysis: Analysis; params: readonly BoundParameter[] }> {
  const { sql, analysis } = await analyze(session, query);
  const params = bindParameters(query.params, analysis.parameters);
  const changed = params.some(({ name, type }) => {
    const found = analysis.parameters.get(name.toLowerCase());
    return found?.guessed && found.type.code !== type.code;
  });
  if (!changed) return { sql, analysis, params };
  // A value told a type that the query did not: the fields may have other types now.
  const declared = Object.fromEntries(
    params.map(({ name, type }) => [name, { type, value: query.params[name]?.value ?? null }]),
  );
  return { ...(await analyze(session, { ...query, params: declared })), params };
}

async function analyze(
  session: ZetaSqlSession,
  query: Omit<SqlQuery, 'rows'>,
): Promise<{ sql: string; analysis: Analysis }> {
  const kind = classify(query.sql);
  if (kind !== 'query') {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      `Only queries can be run here, this is ${kind === 'dml' ? 'DML' : 'not one'}`,
    );
  }
  const sql = prepareSql(query.sql, query.schema);
  const request = encodeMessage('zetasql.local_service.AnalyzeRequest', {
    sql_statement: sql,
    options: analyzerOptions(session, {
      query_parameters: declaredParameters(query.params),
      allow_undeclared_parameters: true,
      prune_unused_columns: true,
    }),
    descriptor_pool_list: BUILTIN_DESCRIPTORS,
    simple_catalog: toCatalog(query.schema.tables.values(), session.language),
  });
  const answer = await session.server.call('Analyze', request);
  const analysis = readAnalysis(
    decodeMessage('zetasql.local_service.AnalyzeResponse', answer),
    (table, position) => tableNamed(query.schema, table)?.columns[position]?.type,
  );
  const struct = analysis.fields.find((field) => field.type.code === 'STRUCT');
  if (struct) {
    throw new RpcError(
      status.UNIMPLEMENTED,
      `Unsupported query shape: a struct value cannot be returned as a column value (${struct.name || 'unnamed'}); return an ARRAY of it`,
    );
  }
  return { sql, analysis };
}
