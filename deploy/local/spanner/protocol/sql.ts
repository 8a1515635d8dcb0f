import type { google as types } from '@google-cloud/spanner-api/build/protos/protos.js';
import { status } from '@grpc/grpc-js';
import { type CallContext, type Method, RpcError, serverStream, unary } from '../../grpc.ts';
import { EVERYTHING } from '../engine/key-ranges.ts';
import { requireSelect, schemaSeenBy } from '../engine/privileges.ts';
import type { Schema, Table } from '../schema.ts';
import type { SqlEvaluator, SqlPlan } from '../sql/evaluator.ts';
import { cellsAt } from '../storage/row-version.ts';
import { pick, type Stores, tableStore } from '../storage/stores.ts';
import type { Cell, StructField } from '../values.ts';
import type { DataBoost } from './data-boost.ts';
import { checkRequestSize, spanner, strict } from './messages.ts';
import { queryParameters } from './query-parameters.ts';
import { checkRetention, type ReadView, readView } from './read-views.ts';
import { collectResult, encodedPartialResultSet, encodeMetadata, startPosition } from './reads.ts';
import { resultStream, type StreamRow } from './result-stream.ts';
import type { Sessions } from './sessions.ts';

type IExecuteSqlRequest = types.spanner.v1.IExecuteSqlRequest;

const SERVICE = '/google.spanner.v1.Spanner';
const PING = /^\s*select\s+1\s*;?\s*$/i;
const INT64: StructField = { name: '', type: { code: 'INT64' } };
const { QueryMode } = spanner.ExecuteSqlRequest;

/** ExecuteSql and ExecuteStreamingSql; DML is refused by name. */
export function sqlMethods(sessions: Sessions, evaluator: () => Promise<SqlEvaluator>, boost: DataBoost): Method[] {
  const start = async (request: IExecuteSqlRequest, context: CallContext): Promise<Iterable<Buffer>> => {
    checkRequestSize(context);
    boost.admit(request);
    return runSql(sessions, request, { context, evaluator });
  };
  const refuseDml = (): never => {
    throw new RpcError(
      status.UNIMPLEMENTED,
      "DML is not part of the laptop's Spanner: write with mutations in a commit.",
    );
  };
  return [
    serverStream(
      `${SERVICE}/ExecuteStreamingSql`,
      strict(spanner.ExecuteSqlRequest),
      encodedPartialResultSet,
      async function* (request, context) {
        yield* await start(request, context);
      },
    ),
    unary(
      `${SERVICE}/ExecuteSql`,
      strict(spanner.ExecuteSqlRequest),
      strict(spanner.ResultSet),
      async (request, context) => collectResult(await start(request, context)),
    ),
    unary(
      `${SERVICE}/ExecuteBatchDml`,
      strict(spanner.ExecuteBatchDmlRequest),
      strict(spanner.ExecuteBatchDmlResponse),
      refuseDml,
    ),
  ];
}

async function runSql(
  sessions: Sessions,
  request: IExecuteSqlRequest,
  { context, evaluator }: { context: CallContext; evaluator: () => Promise<SqlEvaluator> },
): Promise<Iterable<Buffer>> {
  const place = sessions.open(request.session);
  const view = await readView(place, request.transaction, context.signal);
  const sql = request.sql ?? '';
  // Official clients keep their connections alive with this: it is to cost nothing.
  if (PING.test(sql)) return encodeRows([INT64], [[1n]], view, request);
  const { stores } = place.database;
  const position = startPosition(bytes(request.resumeToken), view);
  checkRetention(place.database, position.timestamp);
  const params = queryParameters(request);
  const seen = seenBy(stores.schema, place.session.role);
  if (request.queryMode === QueryMode.PLAN || request.queryMode === 'PLAN') {
    const plan = await (await evaluator()).analyze({ ...seen, sql, params });
    return encodePlan(plan, view);
  }
  const query: Parameters<SqlEvaluator['query']>[0] = {
    ...seen,
    sql,
    params,
    rows: (table) => tableRows(stores, table.name, position.timestamp),
  };
  const result = await (await evaluator()).query(query);
  for (const name of result.tables) view.readSet?.add(tableStore(stores, name), EVERYTHING);
  return encodeRows(result.fields, result.rows, view, request);
}

/** The schema as a session's role sees it, and what it may read of it. */
function seenBy(schema: Schema, role: string | undefined) {
  return {
    schema,
    describedSchema: schemaSeenBy(schema, role),
    authorize: (table: Table, columns: readonly string[]) => requireSelect(schema, role, table, columns),
  };
}

/** All rows of a table at a timestamp, each as long as the table has columns. */
function* tableRows(stores: Stores, name: string, timestamp: number): Generator<readonly Cell[]> {
  const store = tableStore(stores, name);
  const places = store.table.columns.map((_, place) => place);
  for (const [, head] of store.rows.range(EVERYTHING.from, EVERYTHING.to)) {
    const cells = cellsAt(head, timestamp);
    if (cells) yield cells.length === places.length ? cells : pick(cells, places);
  }
}

function encodeRows(
  fields: readonly StructField[],
  rows: readonly (readonly Cell[])[],
  view: ReadView,
  request: IExecuteSqlRequest,
): Iterable<Buffer> {
  const position = startPosition(bytes(request.resumeToken), view);
  // A query resumed is run again at its timestamp; what the client has is left out.
  const rest = rows.slice(position.rows).map((cells): StreamRow => ['', cells]);
  return resultStream({
    rows: rest,
    places: fields.map((_, place) => place),
    types: fields.map((field) => field.type),
    metadata: encodeMetadata(fields, view),
    position,
    precommitToken: view.precommitToken,
    stats: hasStats(request) ? spanner.ResultSetStats.encode({ rowCountExact: rows.length }).finish() : undefined,
  });
}

function encodePlan(plan: SqlPlan, view: ReadView): Iterable<Buffer> {
  return resultStream({
    rows: [],
    places: [],
    types: [],
    metadata: encodeMetadata(plan.fields, view, plan.undeclared),
    position: startPosition(undefined, view),
    stats: spanner.ResultSetStats.encode({ queryPlan: { planNodes: [] } }).finish(),
  });
}

function hasStats(request: IExecuteSqlRequest): boolean {
  return request.queryMode === QueryMode.PROFILE || request.queryMode === 'PROFILE';
}

function bytes(token: Uint8Array | string | null | undefined): Uint8Array | undefined {
  return typeof token === 'string' ? Buffer.from(token, 'base64') : (token ?? undefined);
}
