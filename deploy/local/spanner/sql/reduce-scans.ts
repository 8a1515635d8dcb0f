import type { Column, Table } from '../schema.ts';
import type { Cell } from '../values.ts';
import { canRunScan, runScan, type ScanContext } from './local-scans.ts';
import type { BoundParameter } from './parameters.ts';
import type { Message } from './protos.ts';
import { placeOf } from './relation.ts';
import { columnsOf, unwrapScan } from './resolved-tree.ts';
import { fromTypeProto } from './type-proto.ts';

/** The rows of a scan that was computed here, as a table for ZetaSQL. */
export interface ReducedScan {
  readonly table: Table;
  readonly rows: readonly (readonly Cell[])[];
}

/** Computes the largest scans that can be computed here and puts tables with their results in their places. */
export async function reduceScans(
  statement: Message,
  params: readonly BoundParameter[],
  context: ScanContext,
): Promise<{ statement: Message; results: readonly ReducedScan[] }> {
  const results: ReducedScan[] = [];
  const reduced = await reduce(statement);
  return { statement: reduced as Message, results };

  async function reduce(node: unknown): Promise<unknown> {
    if (Array.isArray(node)) {
      const elements: unknown[] = [];
      for (const element of node) elements.push(await reduce(element));
      return elements;
    }
    if (!isTree(node)) return node;
    if (isWorthRunning(node)) return await replace(node);
    const copy: Record<string, unknown> = {};
    for (const [field, child] of Object.entries(node)) copy[field] = await reduce(child);
    return copy;
  }

  function isWorthRunning(node: Message): boolean {
    const [field] = Object.keys(node);
    if (!field?.endsWith('_scan_node') && !field?.endsWith('_scan_base_node')) return false;
    const { kind } = unwrapScan(node);
    return kind !== 'table_scan' && hasTable(node) && canRunScan(node, params);
  }

  async function replace(node: Message): Promise<Message> {
    const columns = columnsOf(unwrapScan(node));
    const relation = await runScan(node, context);
    const places = columns.map(({ column_id }) => placeOf(relation, column_id));
    const name = `reduced_${results.length}`;
    const table = asTable(
      name,
      columns.map(({ type }, at) => plainColumn(`c${at}`, type)),
    );
    results.push({ table, rows: relation.rows.map((row) => places.map((place) => row[place] ?? null)) });
    return {
      resolved_table_scan_node: {
        parent: { column_list: columns, is_ordered: false },
        table: { name, full_name: name },
        column_index_list: columns.map((_column, at) => at),
        alias: '',
      },
    };
  }
}

/**
 * Gives each table scan the id that its table has in another catalog: ZetaSQL's process dies on an unknown one.
 *
 * @param tables in the order of that catalog
 */
export function renumberTables(node: unknown, tables: readonly Table[]): unknown {
  if (Array.isArray(node)) return node.map((element) => renumberTables(element, tables));
  if (!isTree(node)) return node;
  const copy: Record<string, unknown> = {};
  for (const [field, child] of Object.entries(node)) {
    copy[field] = renumberTables(child, tables);
    if (field !== 'resolved_table_scan_node') continue;
    const scan = child as Message;
    const { name } = scan.table as { name: string };
    const position = tables.findIndex((table) => table.name === name);
    copy[field] = { ...scan, table: { name, full_name: name, serialization_id: position + 1 } };
  }
  return copy;
}

/** Whether a resolved tree reads the table. */
export function scansTable(node: unknown, name: string): boolean {
  if (Array.isArray(node)) return node.some((element) => scansTable(element, name));
  if (!isTree(node)) return false;
  const scan = node.resolved_table_scan_node as { table: { name: string } } | undefined;
  return scan?.table.name === name || Object.values(node).some((child) => scansTable(child, name));
}

function hasTable(node: unknown): boolean {
  if (Array.isArray(node)) return node.some(hasTable);
  return isTree(node) && ('resolved_table_scan_node' in node || Object.values(node).some(hasTable));
}

function isTree(node: unknown): node is Message {
  return typeof node === 'object' && node !== null && !ArrayBuffer.isView(node);
}

function asTable(name: string, columns: readonly Column[]): Table {
  return {
    name,
    columns,
    primaryKey: [],
    checks: [],
    foreignKeys: [],
    parent: undefined,
    rowDeletionPolicy: undefined,
  };
}

function plainColumn(name: string, type: Message): Column {
  return {
    name,
    type: fromTypeProto(type),
    maxLength: undefined,
    notNull: false,
    defaultExpression: undefined,
    generatedAs: undefined,
    allowCommitTimestamp: false,
  };
}
