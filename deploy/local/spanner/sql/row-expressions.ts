import type { Cell, SpannerType } from '../values.ts';
import { analyzerOptions, BUILTIN_DESCRIPTORS } from './analyzer-options.ts';
import { type BoundParameter, encodeParameters } from './parameters.ts';
import { decodeMessage, encodeMessage, type Message } from './protos.ts';
import type { Relation } from './relation.ts';
import { plainColumn, type ResolvedColumn, referencedColumns } from './resolved-tree.ts';
import { decodeRows, encodeRows, tableContentEntry } from './table-content.ts';
import { fromTypeProto, toTypeProto } from './type-proto.ts';
import type { ZetaSqlSession } from './zetasql.ts';

/** The native server takes 4 MiB; the rest is for the query's text and parameters. */
const CHUNK_BYTES = 2 * 1024 * 1024;
const CHUNK_ROWS = 50_000;
const CONTENT_FIELD = 7;
/** Far beyond the ids that ZetaSQL hands out. */
const FIRST_OWN_ID = 1_000_000_000;
const INT64: SpannerType = { code: 'INT64' };

/** An expression of the resolved tree and its TypeProto. */
export interface RowExpression {
  readonly expression: Message;
  readonly type: Message;
}

/**
 * Evaluates expressions once for each row, in requests that the native server takes.
 *
 * @returns one list of values for each row, in the order of the expressions
 */
export async function evaluatePerRow(
  session: ZetaSqlSession,
  relation: Relation,
  expressions: readonly RowExpression[],
  params: readonly BoundParameter[],
): Promise<Cell[][]> {
  const places = expressions.map(({ expression }) => {
    const column = plainColumn(expression);
    return column && relation.columns.get(column.column_id)?.at;
  });
  if (places.every((place) => place !== undefined)) {
    return relation.rows.map((row) => places.map((place) => row[place] ?? null));
  }
  const used = [...referencedColumns(expressions.map(({ expression }) => expression))].filter((id) =>
    relation.columns.has(id),
  );
  const plan = await planChunks(session, relation, expressions, used);
  const results: Cell[][] = [];
  for (let from = 0; from < relation.rows.length; ) {
    from = await evaluateChunk(session, { ...plan, relation, params, used, from }, results);
  }
  return results;
}

interface ChunkPlan {
  readonly head: Message;
  readonly types: readonly SpannerType[];
}

/** Builds `SELECT row, expression, … FROM chunk` out of the resolved tree's own pieces. */
async function planChunks(
  session: ZetaSqlSession,
  relation: Relation,
  expressions: readonly RowExpression[],
  used: readonly string[],
): Promise<ChunkPlan> {
  const rowNumber = ownColumn(0, 'row', toTypeProto(INT64));
  const inputs = [
    rowNumber,
    ...used.map((id, at) => ({
      ...ownColumn(0, `c${at}`, toTypeProto(relation.columns.get(id)?.type ?? INT64)),
      column_id: id,
    })),
  ];
  const outputs = expressions.map(({ type }, at) => ownColumn(at + 1, `e${at}`, type));
  const statement = {
    output_column_list: [rowNumber, ...outputs].map((column) => ({ name: column.name, column })),
    is_value_table: false,
    query: {
      resolved_project_scan_node: {
        parent: { column_list: [rowNumber, ...outputs], is_ordered: false },
        expr_list: outputs.map((column, at) => ({ column, expr: expressions[at]?.expression })),
        input_scan: {
          resolved_table_scan_node: {
            parent: { column_list: inputs, is_ordered: false },
            table: { name: 'chunk', serialization_id: 1, full_name: 'chunk' },
            column_index_list: inputs.map((_column, at) => at),
            alias: '',
          },
        },
      },
    },
  };
  const catalog = {
    name: 'chunks',
    table: [{ name: 'chunk', serialization_id: 1, column: inputs.map(({ name, type }) => ({ name, type })) }],
    builtin_function_options: { language_options: session.language },
  };
  const sql = await buildSql(session, statement, catalog);
  return {
    head: { sql, descriptor_pool_list: BUILTIN_DESCRIPTORS, simple_catalog: catalog },
    types: [INT64, ...expressions.map(({ type }) => fromTypeProto(type))],
  };
}

/** The SQL text of a resolved query. */
export async function buildSql(session: ZetaSqlSession, statement: Message, catalog: Message): Promise<string> {
  const request = encodeMessage('zetasql.local_service.BuildSqlRequest', {
    resolved_statement: { resolved_query_stmt_node: statement },
    descriptor_pool_list: BUILTIN_DESCRIPTORS,
    simple_catalog: catalog,
  });
  const answer = await session.server.call('BuildSql', request);
  return String(decodeMessage('zetasql.local_service.BuildSqlResponse', answer).sql);
}

async function evaluateChunk(
  session: ZetaSqlSession,
  chunk: ChunkPlan & {
    relation: Relation;
    params: readonly BoundParameter[];
    used: readonly string[];
    from: number;
  },
  results: Cell[][],
): Promise<number> {
  const { relation, used, from } = chunk;
  const columns = used.map((id) => relation.columns.get(id));
  const types = [{ type: INT64 }, ...columns.map((column) => ({ type: column?.type ?? INT64 }))];
  const places = columns.map((column) => column?.at ?? 0);
  const all = new Set(types.keys());
  const limit = Math.min(relation.rows.length, from + CHUNK_ROWS);
  const numbered = function* (): Generator<readonly Cell[]> {
    for (let at = from; at < limit; at++) {
      const row = relation.rows[at] ?? [];
      yield [BigInt(at), ...places.map((place) => row[place] ?? null)];
    }
  };
  const { data, count } = encodeRows(types, all, numbered(), CHUNK_BYTES);
  const head = encodeMessage('zetasql.local_service.EvaluateQueryRequest', {
    ...chunk.head,
    options: analyzerOptions(session, {
      query_parameters: chunk.params.map(({ name, type }) => ({ name, type: toTypeProto(type) })),
    }),
  });
  const content = tableContentEntry(CONTENT_FIELD, 'chunk', data);
  const answer = await session.server.call(
    'EvaluateQuery',
    Buffer.concat([head, encodeParameters(chunk.params), content]),
  );
  for (const [row, ...values] of decodeRows(answer, chunk.types)) results[Number(row)] = values;
  return from + count;
}

function ownColumn(offset: number, name: string, type: Message): ResolvedColumn {
  return { column_id: String(FIRST_OWN_ID + offset), table_name: 'chunk', name, type };
}
