import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { Table } from '../schema.ts';
import type { Cell, StructField } from '../values.ts';
import { type AnalyzedQuery, bindQuery } from './analyze-query.ts';
import { analyzerOptions, BUILTIN_DESCRIPTORS } from './analyzer-options.ts';
import { toCatalog } from './catalog.ts';
import { informationSchemaRows } from './information-schema.ts';
import { canRunScan, runScan, type ScanContext } from './local-scans.ts';
import { type BoundParameter, encodeParameters } from './parameters.ts';
import { encodeMessage, type Message } from './protos.ts';
import { reduceScans, renumberTables, scansTable } from './reduce-scans.ts';
import { placeOf } from './relation.ts';
import { outputColumns } from './resolved-tree.ts';
import { buildSql } from './row-expressions.ts';
import type { SqlQuery } from './sql-query.ts';
import { decodeRows, encodeRows, tableContentEntry } from './table-content.ts';
import { toTypeProto } from './type-proto.ts';
import type { ZetaSqlSession } from './zetasql.ts';

/** Up to here ZetaSQL is as fast as we are; beyond, the transfer costs more than the query. */
const DIRECT_BYTES = 512 * 1024;
const CONTENT_FIELD = 7;

export interface SqlResult {
  readonly fields: readonly StructField[];
  readonly rows: readonly (readonly Cell[])[];
  /** The user tables that were read, by name. */
  readonly tables: readonly string[];
}

/**
 * Runs a query: first its analysis, then its evaluation over the columns that it reads.
 *
 * Small contents travel to ZetaSQL with the query. Where they are larger than `directBytes`, scans over single tables
 * are computed here and ZetaSQL evaluates their expressions, chunk by chunk.
 */
export async function runQuery(
  session: ZetaSqlSession,
  query: SqlQuery,
  directBytes = DIRECT_BYTES,
): Promise<SqlResult> {
  const bound = await bindQuery(session, query);
  const tables = bound.tables.map((table): Source => {
    const rows = rowsOf(table, query);
    return { table, rows: Array.isArray(rows) ? rows : [...rows] };
  });
  const rows =
    (await runDirectly(session, bound, tables, directBytes)) ??
    (await runHere(session, bound, tables)) ??
    (await runReduced(session, bound, tables));
  return { fields: bound.analysis.fields, rows, tables: userTables(bound, query) };
}

interface Source {
  readonly table: Table;
  readonly rows: readonly (readonly Cell[])[];
}

type Bound = Awaited<ReturnType<typeof bindQuery>>;

async function runDirectly(
  session: ZetaSqlSession,
  bound: Bound,
  sources: readonly Source[],
  maxBytes: number,
): Promise<Cell[][] | undefined> {
  const contents: Uint8Array[] = [];
  let left = maxBytes;
  for (const { table, rows } of sources) {
    const used = bound.analysis.scans.get(table.name) ?? new Set<number>();
    const { data, count } = encodeRows(table.columns, used, rows, left);
    if (count < rows.length) return undefined;
    left -= data.length;
    contents.push(tableContentEntry(CONTENT_FIELD, table.name, data));
  }
  return evaluateWhole(session, bound, contents);
}

/** Runs the whole query here, where all of its scans can be. */
async function runHere(
  session: ZetaSqlSession,
  bound: Bound,
  sources: readonly Source[],
): Promise<Cell[][] | undefined> {
  const { statement } = bound.analysis;
  if (!canRunScan(statement.query, bound.params)) return undefined;
  const relation = await runScan(statement.query, scanContext(session, bound, sources));
  const places = outputColumns(statement).map(({ column_id }) => placeOf(relation, column_id));
  return relation.rows.map((row) => places.map((place) => row[place] ?? null));
}

/** Computes what can be computed here and hands the rest, with those results in place of their scans, to ZetaSQL. */
async function runReduced(session: ZetaSqlSession, bound: Bound, sources: readonly Source[]): Promise<Cell[][]> {
  const context = scanContext(session, bound, sources);
  const { statement, results } = await reduceScans(bound.analysis.statement, bound.params, context);
  const known = [...bound.tables, ...results.map(({ table }) => table)];
  const numbered = renumberTables(statement, known) as Message;
  const sql = await buildSql(session, numbered, toCatalog(known, session.language));
  const left = [...sources.filter(({ table }) => scansTable(statement, table.name)), ...results];
  const contents = left.map(({ table, rows }) => {
    const used = bound.analysis.scans.get(table.name) ?? new Set(table.columns.keys());
    const { data } = encodeRows(table.columns, used, rows, Infinity);
    return tableContentEntry(CONTENT_FIELD, table.name, data);
  });
  return evaluateWhole(session, { ...bound, sql, tables: left.map(({ table }) => table) }, contents);
}

async function evaluateWhole(
  session: ZetaSqlSession,
  bound: Bound,
  contents: readonly Uint8Array[],
): Promise<Cell[][]> {
  const request = Buffer.concat([encodeHead(session, bound), encodeParameters(bound.params), ...contents]);
  const answer = await session.server.call('EvaluateQuery', request);
  return decodeRows(
    answer,
    bound.analysis.fields.map((field) => field.type),
  );
}

function scanContext(session: ZetaSqlSession, bound: Bound, sources: readonly Source[]): ScanContext {
  return {
    session,
    params: bound.params,
    table(name) {
      const source = sources.find(({ table }) => table.name === name);
      if (!source) throw new RpcError(status.INTERNAL, `The resolved query scans ${name}, which is no table`);
      return { rows: source.rows, typeAt: (position) => source.table.columns[position]?.type ?? { code: 'STRING' } };
    },
  };
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
  return informationSchemaRows(table.name, query.describedSchema ?? query.schema) ?? query.rows(table);
}
