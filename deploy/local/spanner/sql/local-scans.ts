import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { Cell, SpannerType } from '../values.ts';
import { type Aggregator, makeAggregator } from './aggregators.ts';
import { compareCells, groupKey, isOrderable } from './compare-cells.ts';
import type { BoundParameter } from './parameters.ts';
import type { Message } from './protos.ts';
import { placeOf, type Relation, type RelationColumn } from './relation.ts';
import { columnsOf, constantOf, isRowLocal, type ResolvedColumn, type Scan, unwrapScan } from './resolved-tree.ts';
import { evaluatePerRow, type RowExpression } from './row-expressions.ts';
import { fromTypeProto } from './type-proto.ts';
import type { ZetaSqlSession } from './zetasql.ts';

/** What the scans of one query are computed with. */
export interface ScanContext {
  readonly session: ZetaSqlSession;
  readonly params: readonly BoundParameter[];
  /** Rows and column types of a table by its name in the catalog. */
  table(name: string): { readonly rows: readonly (readonly Cell[])[]; typeAt(position: number): SpannerType };
}

interface Computed {
  readonly column: ResolvedColumn;
  readonly expr: Message;
}

/** Whether `runScan()` can compute a scan and all below it. */
export function canRunScan(any: unknown, params: readonly BoundParameter[]): boolean {
  const { kind, node } = unwrapScan(any);
  const below = (): boolean => canRunScan(fieldOf(node, 'input_scan'), params);
  switch (kind) {
    case 'table_scan':
      return !node.for_system_time_expr;
    case 'filter_scan':
      return isRowLocal(node.filter_expr) && below();
    case 'project_scan':
      return computedOf(node, 'expr_list').every(({ expr }) => isRowLocal(expr)) && below();
    case 'aggregate_scan':
      return canAggregate(node) && below();
    case 'order_by_scan':
      return itemsOf(node).every(isPlainItem) && below();
    case 'limit_offset_scan':
      return [node.limit, node.offset].every((bound) => !bound || isBound(bound, params)) && below();
    default:
      return false;
  }
}

/** Computes a scan here, with ZetaSQL for expressions only: for tables larger than its process takes at once. */
export async function runScan(any: unknown, context: ScanContext): Promise<Relation> {
  const scan = unwrapScan(any);
  const { kind, node } = scan;
  if (kind === 'table_scan') return tableRelation(scan, context);
  const input = await runScan(fieldOf(node, 'input_scan'), context);
  switch (kind) {
    case 'filter_scan': {
      const type = { type_kind: 'TYPE_BOOL' };
      const kept = await evaluate(context, input, [{ expression: node.filter_expr as Message, type }]);
      return { ...input, rows: input.rows.filter((_row, at) => kept[at]?.[0] === true) };
    }
    case 'project_scan':
      return extend(input, computedOf(node, 'expr_list'), context);
    case 'aggregate_scan':
      return aggregate(input, node, context);
    case 'order_by_scan':
      return sort(input, node);
    case 'limit_offset_scan':
      return cut(input, node, context.params);
    default:
      throw new RpcError(status.INTERNAL, `The scan ${kind} is not computed here`);
  }
}

function tableRelation(scan: Scan, context: ScanContext): Relation {
  const { name } = scan.node.table as { name: string };
  const { rows, typeAt } = context.table(name);
  const positions = (scan.node.column_index_list ?? []) as string[];
  const columns = new Map<string, RelationColumn>();
  columnsOf(scan).forEach((column, at) => {
    const position = Number(positions[at]);
    columns.set(column.column_id, { type: typeAt(position), at: position });
  });
  return { columns, rows };
}

async function extend(input: Relation, computed: readonly Computed[], context: ScanContext): Promise<Relation> {
  if (computed.length === 0) return input;
  const values = await evaluate(
    context,
    input,
    computed.map(({ column, expr }) => ({ expression: expr, type: column.type })),
  );
  const width = Math.max(0, ...[...input.columns.values()].map(({ at }) => at + 1));
  const columns = new Map(input.columns);
  computed.forEach(({ column }, at) => {
    columns.set(column.column_id, { type: fromTypeProto(column.type), at: width + at });
  });
  const rows = input.rows.map((row, at) => {
    const wide: Cell[] = row.slice(0, width);
    while (wide.length < width) wide.push(null);
    return wide.concat(values[at] ?? []);
  });
  return { columns, rows };
}

async function aggregate(input: Relation, node: Message, context: ScanContext): Promise<Relation> {
  const groups = computedOf(node, 'group_by_list');
  const calls = computedOf(node, 'aggregate_list').map(({ column, expr }) => ({ column, ...readCall(expr) }));
  const expressions = [
    ...groups.map(({ column, expr }) => ({ expression: expr, type: column.type })),
    ...calls.flatMap(({ argument }) => (argument ? [argument] : [])),
  ];
  const values = expressions.length > 0 ? await evaluate(context, input, expressions) : undefined;
  const fresh = (): Aggregator[] =>
    calls.map((call) => {
      const made = makeAggregator(call.name, call.type, call.distinct);
      if (!made) throw new RpcError(status.INTERNAL, `${call.name} is not computed here`);
      return made;
    });
  const found = new Map<string, { key: readonly Cell[]; aggregators: Aggregator[] }>();
  if (groups.length === 0) found.set('', { key: [], aggregators: fresh() });
  for (let at = 0; at < input.rows.length; at++) {
    const row = values?.[at] ?? [];
    const text = groups.length === 0 ? '' : row.slice(0, groups.length).map(groupKey).join('');
    let group = found.get(text);
    if (!group) {
      group = { key: row.slice(0, groups.length), aggregators: fresh() };
      found.set(text, group);
    }
    feed(group.aggregators, calls, row, groups.length);
  }
  const columns = new Map<string, RelationColumn>();
  [...groups, ...calls].forEach(({ column }, at) => {
    columns.set(column.column_id, { type: fromTypeProto(column.type), at });
  });
  const rows = [...found.values()].map(({ key, aggregators }) => [...key, ...aggregators.map((one) => one.result())]);
  return { columns, rows };
}

function feed(aggregators: readonly Aggregator[], calls: readonly Call[], row: readonly Cell[], from: number): void {
  let at = from;
  calls.forEach((call, position) => {
    const value = call.argument ? (row[at++] ?? null) : true;
    if (value !== null) aggregators[position]?.add(value);
  });
}

interface Call {
  readonly name: string;
  readonly type: SpannerType;
  readonly distinct: boolean;
  /** Undefined for COUNT(*). */
  readonly argument: RowExpression | undefined;
}

function readCall(expression: Message): Call {
  const call = aggregateCall(expression);
  const base = (call?.parent ?? {}) as Message;
  const inner = (base.parent ?? {}) as Message;
  const { name } = (inner.function ?? { name: '' }) as { name: string };
  const [argument] = (inner.argument_list ?? []) as Message[];
  if (!argument) return { name: 'ZetaSQL:count', type: { code: 'INT64' }, distinct: false, argument: undefined };
  const type = expressionType(argument);
  return {
    name,
    type: fromTypeProto(type),
    distinct: base.distinct === true,
    argument: { expression: argument, type },
  };
}

function canAggregate(node: Message): boolean {
  if (fieldOf(node, 'grouping_set_list') || fieldOf(node, 'rollup_column_list')) return false;
  const grouped = computedOf(node, 'group_by_list').every(
    ({ column, expr }) => isRowLocal(expr) && isOrderable(fromTypeProto(column.type)),
  );
  return grouped && computedOf(node, 'aggregate_list').every(({ expr }) => canCall(expr));
}

function canCall(expression: Message): boolean {
  const call = aggregateCall(expression);
  if (!call || call.having_modifier || call.order_by_item_list || call.limit) return false;
  const base = call.parent as Message;
  const inner = base.parent as Message;
  if (base.with_group_rows_subquery || base.null_handling_modifier !== 'DEFAULT_NULL_HANDLING') return false;
  const args = (inner.argument_list ?? []) as Message[];
  const { name } = inner.function as { name: string };
  if (args.length === 0) return name === 'ZetaSQL:$count_star';
  if (args.length > 1 || !isRowLocal(args) || inner.error_mode !== 'DEFAULT_ERROR_MODE') return false;
  const { type, distinct } = readCall(expression);
  return isOrderable(type) && makeAggregator(name, type, distinct) !== undefined;
}

function aggregateCall(expression: Message): Message | undefined {
  let node: Message | undefined = expression;
  for (const field of [
    'resolved_function_call_base_node',
    'resolved_non_scalar_function_call_base_node',
    'resolved_aggregate_function_call_node',
  ]) {
    node = node?.[field] as Message | undefined;
  }
  return node;
}

/** The TypeProto of any expression: it stands at the root of its chain of parents. */
function expressionType(expression: Message): Message {
  let node = expression;
  while (!node.type) {
    const next: unknown = node.parent ?? Object.values(node)[0];
    if (typeof next !== 'object' || next === null)
      throw new TypeError('An expression of the resolved tree has no type');
    node = next as Message;
  }
  return node.type as Message;
}

interface OrderItem {
  readonly column_ref: Message;
  readonly is_descending?: boolean;
  readonly null_order?: string;
  readonly collation_name?: unknown;
}

function itemsOf(node: Message): OrderItem[] {
  return (node.order_by_item_list ?? []) as OrderItem[];
}

function isPlainItem(item: OrderItem): boolean {
  const { column } = item.column_ref as { column: ResolvedColumn };
  return !item.collation_name && item.column_ref.is_correlated !== true && isOrderable(fromTypeProto(column.type));
}

function sort(input: Relation, node: Message): Relation {
  const keys = itemsOf(node).map((item) => {
    const { column } = item.column_ref as { column: ResolvedColumn };
    const descending = item.is_descending === true;
    const nullsFirst = item.null_order === 'NULLS_FIRST' || (item.null_order !== 'NULLS_LAST' && !descending);
    return { at: placeOf(input, column.column_id), type: fromTypeProto(column.type), descending, nullsFirst };
  });
  const rows = input.rows.toSorted((one, other) => {
    for (const { at, type, descending, nullsFirst } of keys) {
      const [left, right] = [one[at] ?? null, other[at] ?? null];
      if (left === null && right === null) continue;
      if (left === null || right === null) return (left === null) === nullsFirst ? -1 : 1;
      const order = compareCells(type, left, right);
      if (order !== 0) return descending ? -order : order;
    }
    return 0;
  });
  return { ...input, rows };
}

function isBound(expression: unknown, params: readonly BoundParameter[]): boolean {
  return typeof constantOf(expression, params) === 'bigint';
}

function cut(input: Relation, node: Message, params: readonly BoundParameter[]): Relation {
  const bound = (field: string, otherwise: number): number => {
    const value = node[field] ? constantOf(node[field], params) : undefined;
    if (typeof value === 'bigint' && value < 0n) {
      throw new RpcError(status.OUT_OF_RANGE, `${field.toUpperCase()} must be at least 0, got ${value}`);
    }
    return typeof value === 'bigint' ? Number(value) : otherwise;
  };
  const from = bound('offset', 0);
  return { ...input, rows: input.rows.slice(from, from + bound('limit', Infinity)) };
}

function computedOf(node: Message, field: string): Computed[] {
  return (fieldOf(node, field) ?? []) as Computed[];
}

/** A field of a scan or of the scan that it derives from. */
function fieldOf(node: Message, field: string): unknown {
  return node[field] ?? ((node.parent ?? {}) as Message)[field];
}

function evaluate(context: ScanContext, input: Relation, expressions: readonly RowExpression[]): Promise<Cell[][]> {
  return evaluatePerRow(context.session, input, expressions, context.params);
}
