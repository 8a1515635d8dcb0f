import type { Cell } from '../values.ts';
import type { BoundParameter } from './parameters.ts';
import type { Message } from './protos.ts';
import { fromTypeProto } from './type-proto.ts';
import { decodeValueMessage } from './value-message.ts';

/** A column of ZetaSQL's resolved tree (ResolvedColumnProto). */
export interface ResolvedColumn {
  readonly column_id: string;
  readonly table_name: string;
  readonly name: string;
  readonly type: Message;
}

/** A scan without the wrappers that say its kind. */
export interface Scan {
  readonly kind: string;
  readonly node: Message;
}

/** Takes the kind out of an AnyResolvedScanProto. */
export function unwrapScan(any: unknown): Scan {
  let node = any as Message;
  while (true) {
    const [field] = Object.keys(node);
    if (!field) throw new TypeError('A scan of the resolved tree is empty');
    node = node[field] as Message;
    if (!field.endsWith('_base_node')) return { kind: field.replace(/^resolved_|_node$/g, ''), node };
  }
}

/** The columns that a scan gives. */
export function columnsOf(scan: Scan): ResolvedColumn[] {
  let base = scan.node;
  while (base.parent) base = base.parent as Message;
  return (base.column_list ?? []) as ResolvedColumn[];
}

/** The columns of a query's result, in order. */
export function outputColumns(statement: Message): ResolvedColumn[] {
  const outputs = (statement.output_column_list ?? []) as { column: ResolvedColumn }[];
  return outputs.map(({ column }) => column);
}

/** The column that an expression simply names, if it does nothing else. */
export function plainColumn(expression: unknown): ResolvedColumn | undefined {
  const reference = (expression as Message).resolved_column_ref_node as Message | undefined;
  return reference && reference.is_correlated !== true ? (reference.column as ResolvedColumn) : undefined;
}

/** The value of a literal or a parameter; undefined for any other expression. */
export function constantOf(expression: unknown, params: readonly BoundParameter[]): Cell | undefined {
  const { resolved_literal_node: literal, resolved_parameter_node: parameter } = expression as Record<string, Message>;
  if (parameter) {
    const name = String(parameter.name).toLowerCase();
    return params.find((candidate) => candidate.name.toLowerCase() === name)?.cell;
  }
  if (!literal) return undefined;
  const { type, value } = literal.value as { type: Message; value: Message };
  return decodeValueMessage(fromTypeProto(type), value);
}

/** Whether an expression looks at nothing but its own row: no subquery, nothing from outside. */
export function isRowLocal(expression: unknown): boolean {
  if (Array.isArray(expression)) return expression.every(isRowLocal);
  if (typeof expression !== 'object' || expression === null || ArrayBuffer.isView(expression)) return true;
  return Object.entries(expression).every(
    ([field, value]) =>
      field !== 'resolved_subquery_expr_node' &&
      field !== 'resolved_catalog_column_ref_node' &&
      !(field === 'is_correlated' && value === true) &&
      isRowLocal(value),
  );
}

/** The ids of all columns that an expression names. */
export function referencedColumns(expression: unknown, ids = new Set<string>()): Set<string> {
  if (Array.isArray(expression)) for (const element of expression) referencedColumns(element, ids);
  else if (typeof expression === 'object' && expression !== null && !ArrayBuffer.isView(expression)) {
    const column = plainColumn(expression);
    if (column) ids.add(column.column_id);
    for (const value of Object.values(expression)) referencedColumns(value, ids);
  }
  return ids;
}
