import { checkFeed } from '../../functions/plan-epoch/check-feed.ts';
import { openSpannerChannel } from '../../shared/adapters/spanner/channel.ts';
import { pinSnapshot } from '../../shared/adapters/spanner/epochs/pin-snapshot.ts';
import { openPipeline } from '../../shared/adapters/spanner/ingest/open-pipeline.ts';
import { openDatabase } from '../../shared/adapters/spanner/open-database.ts';
import { readDatabaseColumns, readRoles } from '../../shared/adapters/spanner/read-roles.ts';
import { readTableSchema } from '../../shared/adapters/spanner/read-table-schema.ts';
import type { Declaration, Feed } from '../../shared/model/config/declaration.ts';
import { joinedColumn } from '../../shared/model/epochs/join.ts';
import type { DataUses } from '../../shared/model/grants/function-access.ts';
import type { ExistingRoles } from '../../shared/model/grants/grant-statements.ts';
import { pipelineUses } from '../../shared/model/grants/pipeline-uses.ts';
import { type DatabaseColumns, queryUses, spelled } from '../../shared/model/grants/query-uses.ts';
import type { TableUse } from '../../shared/model/grants/table-grants.ts';
import { quoteName } from '../../shared/model/sql/quote-name.ts';

/** What the database says of its tables and roles, for a plan of access. */
export interface DatabaseAccess {
  readonly data: DataUses;
  readonly existing: ExistingRoles;
}

/**
 * Reads what pipelines and feeds do with the tables as they are: columns that the declaration leaves out follow from them.
 *
 * @throws {ConfigError} when tables are missing, or do not fit
 */
export async function readDataUses(declaration: Declaration): Promise<DatabaseAccess> {
  const { database: name } = declaration.spanner;
  const channel = openSpannerChannel(name, process.env);
  const opened = openDatabase(name);
  try {
    const columns = await readDatabaseColumns(channel);
    const reader = { database: name, readTable: (table: string) => readTableSchema(channel, table) };
    const pipelines = await eachOf(declaration.pipelines, async (pipeline) =>
      pipelineUses(await openPipeline(reader, pipeline)),
    );
    const feeds = await eachOf(declaration.feeds, (feed) => feedUses(opened.database, feed, columns));
    return { data: { pipelines, feeds }, existing: await readRoles(channel) };
  } finally {
    channel.close();
    await opened.close();
  }
}

/** What an epoch of a feed reads: the key, what its tensors are made of, what its condition, query and joins go by. */
async function feedUses(
  database: Parameters<typeof pinSnapshot>[0],
  feed: Feed,
  columns: DatabaseColumns,
): Promise<TableUse[]> {
  const joined = (feed.join ?? []).map(({ table }) => table);
  const pinned = await pinSnapshot(database, { table: feed.table, sql: feed.sql, pipelines: [], joined });
  const checked = checkFeed(feed, pinned);
  const own = checked.columns.filter((column) => joinedColumn(column) === undefined);
  const uses: TableUse[] = feed.sql
    ? queryUses(feed.sql.text, columns)
    : [{ table: feed.table, select: own }, ...conditionUses(feed, columns)];
  const joins = checked.joins.map(
    ({ table, key, on, types }): TableUse => ({
      table,
      select: [...key, ...on.map(({ equals }) => equals), ...Object.keys(types)],
    }),
  );
  return [...uses, ...joins].map((use) => spelled(use, columns));
}

/** A condition names columns of the feed's own table. */
function conditionUses({ table, where }: Feed, columns: DatabaseColumns): TableUse[] {
  if (where === undefined) return [];
  const own = [...columns].filter(([name]) => name.toLowerCase() === table.toLowerCase());
  return queryUses(`SELECT 1 FROM ${quoteName(table)} WHERE ${where}`, new Map(own));
}

async function eachOf<V, W>(
  record: Readonly<Record<string, V>>,
  map: (value: V) => Promise<W>,
): Promise<Record<string, W>> {
  const entries: [string, W][] = [];
  for (const [name, value] of Object.entries(record)) entries.push([name, await map(value)]);
  return Object.fromEntries(entries);
}
