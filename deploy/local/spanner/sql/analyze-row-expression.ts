import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import { emptySchema } from '../ddl/empty-schema.ts';
import type { Table } from '../schema.ts';
import type { SpannerType } from '../values.ts';
import { readAnalysis } from './analysis.ts';
import { analyzerOptions, BUILTIN_DESCRIPTORS } from './analyzer-options.ts';
import { toCatalog } from './catalog.ts';
import { prepareSql } from './prepare-sql.ts';
import { decodeMessage, encodeMessage, type Message } from './protos.ts';
import { unwrapScan } from './resolved-tree.ts';
import type { ZetaSqlSession } from './zetasql.ts';

/** The only table that an expression sees: its own columns come first. */
const ROWS = '_rows_';

/** What an expression over one row of a table is. */
export interface RowAnalysis {
  readonly type: SpannerType;
  /** Places of the columns that it uses. */
  readonly inputs: ReadonlySet<number>;
}

/**
 * Resolves an expression over one row, without looking at any.
 *
 * @throws {RpcError} INVALID_ARGUMENT for wrong SQL and for what looks beyond the row, such as an aggregate
 */
export async function analyzeRowExpression(
  session: ZetaSqlSession,
  table: Table,
  expression: string,
): Promise<RowAnalysis> {
  const request = encodeMessage('zetasql.local_service.AnalyzeRequest', {
    sql_statement: prepareSql(`SELECT (${expression}\n) FROM ${ROWS}`, emptySchema),
    options: analyzerOptions(session, { prune_unused_columns: true }),
    descriptor_pool_list: BUILTIN_DESCRIPTORS,
    simple_catalog: toCatalog([{ ...table, name: ROWS }], session.language),
  });
  const answer = decodeMessage('zetasql.local_service.AnalyzeResponse', await session.server.call('Analyze', request));
  const analysis = readAnalysis(answer, (_name, at) => table.columns[at]?.type);
  requireRowLocal(analysis.statement);
  const type = analysis.fields[0]?.type;
  if (!type) throw new RpcError(status.INTERNAL, `The SQL evaluator gave no type for (${expression})`);
  return { type, inputs: analysis.scans.get(ROWS) ?? new Set() };
}

function requireRowLocal(statement: Message): void {
  let scan = unwrapScan(statement.query);
  if (scan.kind === 'project_scan') scan = unwrapScan(scan.node.input_scan);
  if (scan.kind === 'table_scan') return;
  throw new RpcError(
    status.INVALID_ARGUMENT,
    'the expression must look at one row alone: no aggregate and no analytic function',
  );
}
