import type { Database } from '@google-cloud/spanner';
import type { EventRow } from './events-check.ts';
import { type FoundHistory, keyOf, type TableRow, type TableRows, tableColumns } from './history.ts';

const PAGE_OFFSETS = 4_000;
/** The client throws at an INT64 beyond 2^53 otherwise. */
const jsonOptions = { wrapNumbers: true };

type Row = Readonly<Record<string, unknown>>;
type Read = (table: string, columns: readonly string[]) => Promise<Row[]>;

/** Reads with the official client what the chaos tables and the control tables hold, all at one timestamp. */
export async function readHistory(database: Database): Promise<FoundHistory> {
  const [snapshot] = await database.getSnapshot({ strong: true });
  const read: Read = async (table, columns) => {
    // Not as a stream: the client puts undefined rows between the real ones when its reader is slow.
    const [rows] = await snapshot.read(table, {
      keySet: { all: true },
      columns: [...columns],
      json: true,
      jsonOptions,
    });
    return rows.map((row): Row => ({ ...row }));
  };
  try {
    const tables = new Map<string, TableRows>();
    for (const table of Object.keys(tableColumns)) tables.set(table, await readTable(read, table));
    return {
      tables,
      checkpoints: (await read('PenstockCheckpoints', ['Pipeline', 'PartitionId', 'NextOffset', 'Fence'])).map(
        (row) => ({
          pipeline: String(row.Pipeline),
          partition: numberOf(row.PartitionId),
          nextOffset: numberOf(row.NextOffset),
          fence: numberOf(row.Fence),
        }),
      ),
      lineage: (await read('PenstockLineage', lineageColumns)).map((row) => ({
        pipeline: String(row.Pipeline),
        partition: numberOf(row.PartitionId),
        from: numberOf(row.FromOffset),
        to: numberOf(row.ToOffset),
        records: numberOf(row.RowCount) + numberOf(row.SkippedCount) + numberOf(row.DeadCount),
        dead: numberOf(row.DeadCount),
        fence: numberOf(row.Fence),
      })),
      deadLetters: (await read('PenstockDeadLetters', ['Pipeline', 'DeadLetterId', 'Part', 'Class']))
        .filter((row) => numberOf(row.Part) === 0)
        .map((row) => ({ pipeline: String(row.Pipeline), id: String(row.DeadLetterId), poison: String(row.Class) })),
    };
  } finally {
    snapshot.end();
  }
}

async function readTable(read: Read, table: string): Promise<TableRows> {
  const { key = [], rest = [] } = tableColumns[table] ?? {};
  const rows = new Map<string, TableRow>();
  for (const found of await read(table, [...key, ...rest])) {
    const cells = [...key, ...rest].map((column) => [column, textOf(found[column])]);
    const row: TableRow = Object.fromEntries(cells);
    rows.set(keyOf(key.map((column) => row[column] ?? '')), row);
  }
  return rows;
}

/** As the expectation writes it. */
function textOf(cell: unknown): string {
  if (cell instanceof Date) return cell.toISOString().replace(/\.0+Z$/, 'Z');
  return typeof cell === 'object' && cell !== null && 'value' in cell ? String(cell.value) : String(cell);
}

function numberOf(cell: unknown): number {
  return Number(textOf(cell));
}

/** Tells each row of `Events` below the ends of its topic's partitions, some thousand at a time. */
export async function readEvents(
  database: Database,
  { topic, ends }: { readonly topic: string; readonly ends: readonly number[] },
  see: (row: EventRow) => void,
): Promise<void> {
  for (const [partition, end] of ends.entries()) {
    for (let from = 0; from < end; from += PAGE_OFFSETS) {
      const startClosed = [topic, String(partition), String(from)];
      const endOpen = [topic, String(partition), String(from + PAGE_OFFSETS)];
      const [rows] = await database.table('Events').read({
        ranges: [{ startClosed, endOpen }],
        columns: ['RecordOffset', 'EventKey', 'Sequence', 'Token'],
        json: true,
        jsonOptions,
      });
      for (const found of rows) {
        const row: Row = { ...found };
        const [key, sequence, token] = [row.EventKey, row.Sequence, row.Token].map(textOf);
        see({
          partition,
          offset: Number(textOf(row.RecordOffset)),
          key: key ?? '',
          sequence: sequence ?? '',
          token: token ?? '',
        });
      }
    }
  }
}

const lineageColumns = [
  'Pipeline',
  'PartitionId',
  'FromOffset',
  'ToOffset',
  'RowCount',
  'SkippedCount',
  'DeadCount',
  'Fence',
];

/** Where each partition of each pipeline stands, by `pipeline/partition`. */
export async function readCheckpoints(
  database: Database,
): Promise<Map<string, { readonly nextOffset: number; readonly fence: number }>> {
  const [rows] = await database
    .table('PenstockCheckpoints')
    .read({ keySet: { all: true }, columns: ['Pipeline', 'PartitionId', 'NextOffset', 'Fence'], json: true });
  return new Map(
    rows.map((found) => {
      const row: Row = { ...found };
      const value = { nextOffset: Number(row.NextOffset), fence: Number(row.Fence) };
      return [`${String(row.Pipeline)}/${Number(row.PartitionId)}`, value];
    }),
  );
}
