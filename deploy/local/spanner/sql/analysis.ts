import type { SpannerType, StructField } from '../values.ts';
import type { Message } from './protos.ts';
import { fromTypeProto } from './type-proto.ts';

/** What ZetaSQL's analyzer found out about a query. */
export interface Analysis {
  /** The resolved tree, a zetasql.ResolvedQueryStmtProto. */
  readonly statement: Message;
  readonly fields: readonly StructField[];
  /** By table name as in the catalog: positions of the columns that the query uses. */
  readonly scans: ReadonlyMap<string, ReadonlySet<number>>;
  /** By lower-case name. */
  readonly parameters: ReadonlyMap<string, FoundParameter>;
}

export interface FoundParameter {
  readonly type: SpannerType;
  /** Nothing in the query says which type it has. */
  readonly guessed: boolean;
}

interface Collected {
  readonly scans: Map<string, Set<number>>;
  readonly parameters: Map<string, FoundParameter>;
  /** By column id: the table and the position that a column comes from. */
  readonly origins: Map<string, { readonly table: string; readonly position: number }>;
}

/**
 * Reads a zetasql.local_service.AnalyzeResponse of a query.
 *
 * @param typeAt the declared type of a table's column, where ZetaSQL's own has lost something (UUID)
 */
export function readAnalysis(
  response: Message,
  typeAt: (table: string, position: number) => SpannerType | undefined,
): Analysis {
  const statement = (response.resolved_statement as Message).resolved_query_stmt_node as Message;
  const collected: Collected = { scans: new Map(), parameters: new Map(), origins: new Map() };
  collect(statement, collected);
  const columns = (statement.output_column_list ?? []) as Message[];
  const fields = columns.map(({ name, column }) => {
    const { type, column_id: id } = column as { type: Message; column_id: string };
    const origin = collected.origins.get(id);
    const declared = origin && typeAt(origin.table, origin.position);
    return { name: String(name).startsWith('$') ? '' : String(name), type: declared ?? fromTypeProto(type) };
  });
  return { statement, fields, scans: collected.scans, parameters: collected.parameters };
}

function collect(node: unknown, collected: Collected): void {
  if (Array.isArray(node)) {
    for (const child of node) collect(child, collected);
    return;
  }
  if (typeof node !== 'object' || node === null || ArrayBuffer.isView(node)) return;
  for (const [field, child] of Object.entries(node)) {
    if (field === 'resolved_table_scan_node') collectScan(child as Message, collected);
    if (field === 'resolved_parameter_node') collectParameter(child as Message, collected.parameters);
    collect(child, collected);
  }
}

function collectScan(scan: Message, { scans, origins }: Collected): void {
  const { name } = scan.table as { name: string };
  const used = scans.get(name) ?? new Set<number>();
  scans.set(name, used);
  const columns = ((scan.parent as Message).column_list ?? []) as { column_id: string }[];
  const positions = (scan.column_index_list ?? []) as string[];
  positions.forEach((text, at) => {
    const position = Number(text);
    used.add(position);
    const id = columns[at]?.column_id;
    if (id !== undefined) origins.set(id, { table: name, position });
  });
}

function collectParameter(parameter: Message, parameters: Map<string, FoundParameter>): void {
  const { name, is_untyped: guessed = false } = parameter as { name: string; is_untyped?: boolean };
  const known = parameters.get(name.toLowerCase());
  if (known && (!known.guessed || guessed)) return;
  const { type } = parameter.parent as { type: Message };
  parameters.set(name.toLowerCase(), { type: fromTypeProto(type), guessed });
}
