import type { Database } from '@google-cloud/spanner';
import type { FoundHistory, Totals } from './history.ts';

type Row = Readonly<Record<string, unknown>>;

/** Reads with the official client what the chaos tables and the control tables hold, all at one timestamp. */
export async function readHistory(database: Database): Promise<FoundHistory> {
  const [snapshot] = await database.getSnapshot({ strong: true });
  const read = async (table: string, columns: readonly string[]): Promise<Row[]> => {
    // Not as a stream: the client puts undefined rows between the real ones when its reader is slow.
    const [rows] = await snapshot.read(table, { keySet: { all: true }, columns: [...columns], json: true });
    return rows.map((row): Row => ({ ...row }));
  };
  try {
    return {
      events: (await read('Events', ['PartitionId', 'RecordOffset', 'EventKey', 'Sequence'])).map((row) => ({
        partition: Number(row.PartitionId),
        offset: Number(row.RecordOffset),
        key: String(row.EventKey),
        sequence: Number(row.Sequence),
      })),
      latest: new Map(
        (await read('Latest', ['EventKey', 'Sequence'])).map((row) => [String(row.EventKey), Number(row.Sequence)]),
      ),
      counters: totals(await read('Counters', totalColumns)),
      pushed: totals(await read('Pushed', totalColumns)),
      checkpoints: (await read('PenstockCheckpoints', ['Pipeline', 'PartitionId', 'NextOffset', 'Fence'])).map(
        (row) => ({
          pipeline: String(row.Pipeline),
          partition: Number(row.PartitionId),
          nextOffset: Number(row.NextOffset),
          fence: Number(row.Fence),
        }),
      ),
      lineage: (await read('PenstockLineage', lineageColumns)).map((row) => ({
        pipeline: String(row.Pipeline),
        partition: Number(row.PartitionId),
        from: Number(row.FromOffset),
        to: Number(row.ToOffset),
        records: Number(row.RowCount) + Number(row.SkippedCount) + Number(row.DeadCount),
        fence: Number(row.Fence),
      })),
      deadLetters: (await read('PenstockDeadLetters', ['Pipeline', 'DeadLetterId', 'Part', 'Class']))
        .filter((row) => Number(row.Part) === 0)
        .map((row) => ({ pipeline: String(row.Pipeline), id: String(row.DeadLetterId), poison: String(row.Class) })),
    };
  } finally {
    snapshot.end();
  }
}

const totalColumns = ['EventKey', 'EventCount', 'SequenceSum', 'SequenceMax'];
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

function totals(rows: readonly Row[]): Map<string, Totals> {
  return new Map(
    rows.map((row) => [
      String(row.EventKey),
      { count: Number(row.EventCount), sum: Number(row.SequenceSum), max: Number(row.SequenceMax) },
    ]),
  );
}

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
