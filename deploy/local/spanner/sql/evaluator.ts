import type { CompileTable } from '../row-program.ts';
import type { Cell, SpannerType, StructField } from '../values.ts';
import { analyzeQuery } from './analyze-query.ts';
import { compileTable } from './compile-table.ts';
import { evaluateExpression } from './expression.ts';
import { runQuery, type SqlResult, userTables } from './run-query.ts';
import type { SqlQuery } from './sql-query.ts';
import { openZetaSql } from './zetasql.ts';

export interface SqlPlan {
  readonly fields: readonly StructField[];
  /** Parameters that the query uses and the request did not declare, by lower-case name, with their inferred types. */
  readonly undeclared: readonly StructField[];
  /** The user tables that would be read, by name. */
  readonly tables: readonly string[];
}

/** GoogleSQL queries through ZetaSQL's own evaluator, a native process of its own. */
export interface SqlEvaluator {
  /** Changes when the process is started again after a crash; undefined while none runs. */
  readonly pid: number | undefined;
  /**
   * Runs a query.
   *
   * @throws {RpcError} INVALID_ARGUMENT with ZetaSQL's message and `[at line:column]`; OUT_OF_RANGE and others as
   *   ZetaSQL says; INTERNAL when the process died under the query
   */
  query(query: SqlQuery): Promise<SqlResult>;
  /** Says what a query would give, without rows: for PLAN mode. */
  analyze(query: Omit<SqlQuery, 'rows'>): Promise<SqlPlan>;
  /**
   * The value of a column's DEFAULT, fitted to the column's type.
   *
   * @throws {RpcError} INVALID_ARGUMENT where the expression is wrong or of another type
   */
  expression(sql: string, type: SpannerType): Promise<Cell>;
  /** Resolves the generated columns and CHECK constraints of a table: see `compileTable()`. */
  readonly compileTable: CompileTable;
  /** Ends the process. */
  close(): Promise<void>;
}

export async function openSqlEvaluator(): Promise<SqlEvaluator> {
  const zetasql = await openZetaSql();
  return {
    get pid() {
      return zetasql.pid;
    },
    query: (query) => zetasql.use((session) => runQuery(session, query)),
    analyze: (query) => zetasql.use(async (session) => plan(query, await analyzeQuery(session, query))),
    expression: (sql, type) => zetasql.use((session) => evaluateExpression(session, sql, type)),
    compileTable: (table) => compileTable(zetasql, table),
    close: () => zetasql.close(),
  };
}

function plan(query: Omit<SqlQuery, 'rows'>, analyzed: Awaited<ReturnType<typeof analyzeQuery>>): SqlPlan {
  const { fields, parameters } = analyzed.analysis;
  const declared = new Set<string>();
  for (const [name, { type }] of Object.entries(query.params)) if (type) declared.add(name.toLowerCase());
  const undeclared = [...parameters]
    .filter(([name]) => !declared.has(name))
    .map(([name, { type }]) => ({ name, type }));
  return { fields, undeclared, tables: userTables(analyzed, query) };
}
