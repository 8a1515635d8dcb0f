import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { RowProgram, TablePrograms } from '../row-program.ts';
import type { CheckConstraint, Column, Table } from '../schema.ts';
import type { SpannerType } from '../values.ts';
import { analyzeRowExpression, type RowAnalysis } from './analyze-row-expression.ts';
import { type RowQuery, runRowQuery } from './row-query.ts';
import type { ZetaSql } from './zetasql.ts';

/** Which types become which in an assignment without a cast, besides a type itself. */
const WIDENINGS: Readonly<Record<string, readonly string[]>> = {
  FLOAT64: ['INT64', 'NUMERIC', 'FLOAT32'],
  NUMERIC: ['INT64'],
};

const BOOL: SpannerType = { code: 'BOOL' };

interface ResolvedCheck {
  readonly check: CheckConstraint;
  readonly inputs: ReadonlySet<number>;
}

interface Generated {
  readonly at: number;
  readonly column: Column;
  readonly expression: string;
  readonly inputs: ReadonlySet<number>;
}

/**
 * Resolves the CHECK constraints and generated columns of a table, these in an order in which each has what it needs.
 *
 * @throws {RpcError} INVALID_ARGUMENT for SQL that is wrong or of another type, FAILED_PRECONDITION for a dependency
 *   that production refuses
 */
export async function compileTable(zetasql: ZetaSql, table: Table): Promise<TablePrograms> {
  const generated: Generated[] = [];
  for (const [at, column] of table.columns.entries()) {
    if (column.generatedAs) generated.push(await resolveColumn(zetasql, table, at));
  }
  const keyAt = new Set(
    table.primaryKey.map((part) =>
      table.columns.findIndex((column) => column.name.toLowerCase() === part.column.toLowerCase()),
    ),
  );
  const inKey = generated.filter(({ at }) => keyAt.has(at));
  for (const column of inKey) checkKeyColumn(table, keyAt, column);
  const others = inOrder(
    table,
    generated.filter(({ at }) => !keyAt.has(at)),
  );
  const checks: ResolvedCheck[] = [];
  for (const check of table.checks) checks.push(await resolveCheck(zetasql, table, check));
  return { key: program(zetasql, table, inKey, []), row: program(zetasql, table, others, checks) };
}

async function resolveColumn(zetasql: ZetaSql, table: Table, at: number): Promise<Generated> {
  const column = table.columns[at];
  if (!column?.generatedAs) throw new RangeError(`Column ${at} of ${table.name} is not generated`);
  const { expression } = column.generatedAs;
  const name = `${table.name}.${column.name}`;
  const { type, inputs } = await resolve(zetasql, table, expression, `generated column ${name}`);
  if (!sameType(type, column.type) && !WIDENINGS[column.type.code]?.includes(type.code)) {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      `Generated column ${name} is ${column.type.code}, but its expression (${expression}) is ${type.code}: cast it`,
    );
  }
  const cast = sameType(type, column.type) ? `(${expression}\n)` : `CAST((${expression}\n) AS ${column.type.code})`;
  return { at, column, expression: cast, inputs };
}

async function resolveCheck(zetasql: ZetaSql, table: Table, check: CheckConstraint): Promise<ResolvedCheck> {
  const user = `check constraint ${table.name}.${check.name}`;
  const { type, inputs } = await resolve(zetasql, table, check.expression, user);
  if (type.code !== 'BOOL') {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      `The expression (${check.expression}) of ${user} is ${type.code}: it must be BOOL`,
    );
  }
  if (inputs.size > 0) return { check, inputs };
  throw new RpcError(status.INVALID_ARGUMENT, `The expression (${check.expression}) of ${user} uses no column`);
}

async function resolve(zetasql: ZetaSql, table: Table, expression: string, user: string): Promise<RowAnalysis> {
  const analysis = await zetasql
    .use((session) => analyzeRowExpression(session, table, expression))
    .catch((error: unknown) => {
      if (!(error instanceof RpcError) || error.code !== status.INVALID_ARGUMENT) throw error;
      throw new RpcError(status.INVALID_ARGUMENT, `Error in the expression of ${user}: ${error.message}`, {
        cause: error,
      });
    });
  for (const at of analysis.inputs) {
    if (!table.columns[at]?.allowCommitTimestamp) continue;
    throw new RpcError(
      status.FAILED_PRECONDITION,
      `The expression of ${user} must not use ${table.columns[at].name}: it may hold the commit's timestamp`,
    );
  }
  return analysis;
}

function checkKeyColumn(table: Table, keyAt: ReadonlySet<number>, { column, inputs }: Generated): void {
  const name = `${table.name}.${column.name}`;
  const used = [...inputs].flatMap((at) => {
    const found = table.columns[at];
    return found ? [{ found, isKey: keyAt.has(at) }] : [];
  });
  const generated = used.find(({ found }) => found.generatedAs)?.found;
  if (generated) throw refused(`Generated key column ${name} must not use ${generated.name}, which is generated too`);
  const plain = used.filter(({ isKey }) => !isKey).map(({ found }) => found);
  if (plain.length > 1) {
    const names = plain.map((other) => other.name).join(', ');
    throw refused(`Generated key column ${name} must not use more than one column outside the key, but uses ${names}`);
  }
  if (plain[0]?.defaultExpression !== undefined) {
    throw refused(`Generated key column ${name} must not use ${plain[0].name}, which has a DEFAULT`);
  }
}

/** Each generated column behind those that it uses. */
function inOrder(table: Table, generated: readonly Generated[]): Generated[] {
  const ordered: Generated[] = [];
  const left = new Set(generated);
  while (left.size > 0) {
    const waiting = new Set([...left].map(({ at }) => at));
    const ready = [...left].find(({ inputs }) => ![...inputs].some((at) => waiting.has(at)));
    if (!ready) {
      const names = [...left].map(({ column }) => column.name).join(', ');
      throw refused(`Generated columns of table ${table.name} use each other in a circle: ${names}`);
    }
    left.delete(ready);
    ordered.push(ready);
  }
  return ordered;
}

function program(
  zetasql: ZetaSql,
  table: Table,
  generated: readonly Generated[],
  checks: readonly ResolvedCheck[],
): RowProgram | undefined {
  if (generated.length + checks.length === 0) return undefined;
  const own = new Set(generated.map(({ at }) => at));
  const inputs = new Set<number>();
  for (const { inputs: used } of [...generated, ...checks]) for (const at of used) if (!own.has(at)) inputs.add(at);
  const query: RowQuery = {
    columns: table.columns.map((column, at) => (own.has(at) ? undefined : column)),
    inputs,
    steps: generated.map(({ column, expression }) => ({ name: column.name, expression, type: column.type })),
    outputs: checks.map(({ check }) => ({ expression: `(${check.expression}\n)`, type: BOOL })),
  };
  return {
    inputs: [...inputs],
    generated: generated.map(({ at }) => at),
    checks: checks.map(({ check }) => check.name),
    run: (rows) => zetasql.use((session) => runRowQuery(session, query, rows)),
  };
}

function refused(problem: string): RpcError {
  return new RpcError(status.FAILED_PRECONDITION, problem);
}

function sameType(one: SpannerType, other: SpannerType): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
