import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import { emptySchema } from '../ddl/empty-schema.ts';
import type { Column } from '../schema.ts';
import type { Cell, SpannerType } from '../values.ts';
import { analyzerOptions, BUILTIN_DESCRIPTORS } from './analyzer-options.ts';
import { prepareSql } from './prepare-sql.ts';
import { encodeMessage } from './protos.ts';
import { decodeRows, encodeRows, tableContentEntry } from './table-content.ts';
import { toTypeProto } from './type-proto.ts';
import type { ZetaSqlSession } from './zetasql.ts';

/** The native server takes 4 MiB; the rest is for the query's text and the last row. */
const CHUNK_BYTES = 2 * 1024 * 1024;
/** Of a single row. */
const MAX_ROW_BYTES = 4_000_000;
const CONTENT_FIELD = 7;
/** With a space in it, no name of a user's can be the same. */
const ROW_NUMBER = 'row number';
const ROWS = 'the rows';
const INT64: SpannerType = { code: 'INT64' };

/** Expressions to be evaluated for each of many rows. */
export interface RowQuery {
  /** By their places in a row; undefined where a step makes the column. */
  readonly columns: readonly (Column | undefined)[];
  /** Places of those that are used; the others stay behind. */
  readonly inputs: ReadonlySet<number>;
  /** Columns that later steps and the outputs may use, in order. */
  readonly steps: readonly { readonly name: string; readonly expression: string; readonly type: SpannerType }[];
  readonly outputs: readonly { readonly expression: string; readonly type: SpannerType }[];
}

/**
 * Evaluates a query over rows that are sent along, 2 MiB in a call.
 *
 * @returns for each row the cells of all steps, then those of all outputs
 */
export async function runRowQuery(
  session: ZetaSqlSession,
  query: RowQuery,
  rows: readonly (readonly Cell[])[],
): Promise<Cell[][]> {
  const places = [...query.inputs];
  const sent = places.flatMap((at) => query.columns[at] ?? []);
  const columns = [{ name: ROW_NUMBER, type: INT64 }, ...sent.map(({ name, type }) => ({ name, type }))];
  const head = encodeMessage('zetasql.local_service.EvaluateQueryRequest', {
    sql: prepareSql(toSql(query), emptySchema),
    options: analyzerOptions(session, {}),
    descriptor_pool_list: BUILTIN_DESCRIPTORS,
    simple_catalog: {
      name: 'rows',
      table: [
        {
          name: ROWS,
          serialization_id: 1,
          column: columns.map(({ name, type }) => ({ name, type: toTypeProto(type) })),
        },
      ],
      builtin_function_options: { language_options: session.language },
    },
  });
  const types = [INT64, ...query.steps.map(({ type }) => type), ...query.outputs.map(({ type }) => type)];
  const used = new Set(columns.keys());
  const results: Cell[][] = [];
  for (let from = 0; from < rows.length; ) {
    const encode = (maxBytes: number) => encodeRows(columns, used, numbered(rows, places, from), maxBytes);
    const full = encode(CHUNK_BYTES);
    // A large row behind others may fit by itself.
    const { data, count } = full.data.length > MAX_ROW_BYTES ? encode(0) : full;
    if (data.length > MAX_ROW_BYTES) throw tooLarge(data.length);
    const content = tableContentEntry(CONTENT_FIELD, ROWS, data);
    const answer = await session.server.call('EvaluateQuery', Buffer.concat([head, content]));
    for (const [row, ...cells] of decodeRows(answer, types)) results[Number(row)] = cells;
    from += count;
  }
  return results;
}

function* numbered(
  rows: readonly (readonly Cell[])[],
  places: readonly number[],
  from: number,
): Generator<readonly Cell[]> {
  for (let at = from; at < rows.length; at++) {
    const row = rows[at] ?? [];
    yield [BigInt(at), ...places.map((place) => row[place] ?? null)];
  }
}

/** Not RESOURCE_EXHAUSTED: clients would try that again for an hour. */
function tooLarge(bytes: number): RpcError {
  return new RpcError(
    status.UNIMPLEMENTED,
    `The laptop's Spanner evaluates generated columns and CHECK over rows of up to ${MAX_ROW_BYTES} bytes in the columns ` +
      `that they use: these take ${bytes}`,
  );
}

/** Each step is a query around the one before, so that its column has a name for those that follow. */
function toSql({ steps, outputs }: RowQuery): string {
  let from = quote(ROWS);
  for (const { name, expression } of steps) from = `(SELECT *, ${expression} AS ${quote(name)} FROM ${from})`;
  const wanted = [
    quote(ROW_NUMBER),
    ...steps.map(({ name }) => quote(name)),
    ...outputs.map(({ expression }, at) => `${expression} AS ${quote(`output ${at}`)}`),
  ];
  return `SELECT ${wanted.join(', ')} FROM ${from}`;
}

function quote(name: string): string {
  return `\`${name}\``;
}
