import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { Table } from '../schema.ts';
import { type Analysis, readAnalysis } from './analysis.ts';
import { analyzerOptions, BUILTIN_DESCRIPTORS } from './analyzer-options.ts';
import { toCatalog, visibleTables } from './catalog.ts';
import { classify } from './classify.ts';
import { type BoundParameter, bindParameters, declaredParameters } from './parameters.ts';
import { prepareSql } from './prepare-sql.ts';
import { decodeMessage, encodeMessage } from './protos.ts';
import type { SqlQuery } from './sql-query.ts';
import type { ZetaSqlSession } from './zetasql.ts';

/** A query that ZetaSQL has resolved against the schema. */
export interface AnalyzedQuery {
  /** The text that the evaluator takes: see `prepareSql()`. */
  readonly sql: string;
  readonly analysis: Analysis;
  /** The tables that the query reads, INFORMATION_SCHEMA's too. */
  readonly tables: readonly Table[];
}

/** Resolves names and types, without looking at any row. */
export async function analyzeQuery(session: ZetaSqlSession, query: Omit<SqlQuery, 'rows'>): Promise<AnalyzedQuery> {
  const kind = classify(query.sql);
  if (kind === 'dml') {
    throw new RpcError(
      status.UNIMPLEMENTED,
      "The laptop's Spanner does not run DML yet: write with mutations in a commit",
    );
  }
  if (kind === 'other') {
    throw new RpcError(status.INVALID_ARGUMENT, 'Only queries can be run here; DDL goes through UpdateDatabaseDdl');
  }
  const sql = prepareSql(query.sql, query.schema);
  const visible = visibleTables(query.schema, sql);
  const request = encodeMessage('zetasql.local_service.AnalyzeRequest', {
    sql_statement: sql,
    options: analyzerOptions(session, {
      query_parameters: declaredParameters(query.params),
      allow_undeclared_parameters: true,
      prune_unused_columns: true,
    }),
    descriptor_pool_list: BUILTIN_DESCRIPTORS,
    simple_catalog: toCatalog(visible, session.language),
  });
  const answer = await session.server.call('Analyze', request);
  const analysis = readAnalysis(
    decodeMessage('zetasql.local_service.AnalyzeResponse', answer),
    (name, position) => visible.find((table) => table.name === name)?.columns[position]?.type,
  );
  refuseStructs(analysis);
  for (const table of query.schema.tables.values()) {
    const used = analysis.scans.get(table.name);
    if (used)
      query.authorize?.(
        table,
        [...used].map((position) => table.columns[position]?.name ?? ''),
      );
  }
  return { sql, analysis, tables: visible.filter((table) => analysis.scans.has(table.name)) };
}

/** Resolves a query and gives its parameters their types and values. */
export async function bindQuery(
  session: ZetaSqlSession,
  query: SqlQuery,
): Promise<AnalyzedQuery & { params: readonly BoundParameter[] }> {
  const analyzed = await analyzeQuery(session, query);
  const params = bindParameters(query.params, analyzed.analysis.parameters);
  const changed = params.some(({ name, type }) => {
    const found = analyzed.analysis.parameters.get(name.toLowerCase());
    return found?.guessed && found.type.code !== type.code;
  });
  if (!changed) return { ...analyzed, params };
  // A value told a type that the query did not: the fields may have other types now.
  const declared = Object.fromEntries(
    params.map(({ name, type }) => [name, { type, value: query.params[name]?.value ?? null }]),
  );
  return { ...(await analyzeQuery(session, { ...query, params: declared })), params };
}

function refuseStructs({ fields }: Analysis): void {
  const struct = fields.find((field) => field.type.code === 'STRUCT');
  if (!struct) return;
  throw new RpcError(
    status.UNIMPLEMENTED,
    `Unsupported query shape: a struct value cannot be returned as a column value (${struct.name || 'unnamed'}); ` +
      'return an ARRAY of it',
  );
}
