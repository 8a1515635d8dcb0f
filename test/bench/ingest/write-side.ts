import { MutationSet, Spanner } from '@google-cloud/spanner';
import { readFlights } from '../../../deploy/cli/demo/flights.ts';
import { loadDeclaration } from '../../../shared/adapters/declaration/load-declaration.ts';
import { openSpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import { encodeCommit } from '../../../shared/adapters/spanner/commit-bytes.ts';
import { openEventStore } from '../../../shared/adapters/spanner/ingest/event-store.ts';
import { type CompiledPipeline, compilePipeline } from '../../../shared/model/events/compile-pipeline.ts';
import type { MappedRecord } from '../../../shared/model/events/mapped-record.ts';
import type { RawRecord } from '../../../shared/model/events/raw-record.ts';
import { resolveBatch } from '../../../shared/model/events/resolve-batch.ts';
import { ownCpuSeconds } from '../process-meter.ts';
import { peerRow } from './peer-row.ts';
import { topic } from './topic.ts';

/** Rows of a batch: about what one fetch of half a MiB gives. */
const BATCH_ROWS = 4_000;
const FLIGHTS = 20_000;
const ENCODE_PASSES = 8;
const COMMIT_PASSES = 3;

interface Side {
  /** Raw records to mutations in the protocol's form; returns how many rows they hold. */
  encode(batch: readonly RawRecord[]): number;
  /** Makes ready what `commit` takes. */
  prepare(batches: readonly (readonly RawRecord[])[]): (at: number) => Promise<void>;
  close(): Promise<void>;
}

async function openOurs(database: string): Promise<Side> {
  const declaration = await loadDeclaration(process.env);
  const store = openEventStore(openSpannerChannel(database, process.env), { identity: 'bench', owner: 'bench' });
  const pipeline = declaration.pipelines.flights;
  const table = await store.readTable('Flights');
  if (!pipeline || !table) throw new Error('The stage has no pipeline or no table');
  const compiled = compilePipeline(pipeline, new Map([['Flights', table]]));
  const map = (batch: readonly RawRecord[]): MappedRecord[] => batch.map(compiled.map);
  return {
    encode(batch) {
      const { mutations, rowCount } = resolveBatch(compiled, map(batch), new Map());
      encodeCommit({ session: database, transactionId: Buffer.alloc(16), mutations });
      return rowCount;
    },
    prepare(batches) {
      const mapped = batches.map(map);
      const commit = committer(store, compiled);
      return (at) => commit(mapped[at % mapped.length] ?? []);
    },
    close: () => store.close(),
  };
}

/** Commits batches as if each were the next of partition 0. */
function committer(store: ReturnType<typeof openEventStore>, compiled: CompiledPipeline) {
  const at = { pipeline: compiled.pipeline.name, topic, partition: 0, topicId: 'bench' };
  let fence: Promise<bigint> | undefined;
  let next = 0n;
  return async (mapped: readonly MappedRecord[]): Promise<void> => {
    fence ??= store.raiseFence({ ...at, earliestOffset: 0n, highWatermark: 0n }).then((taken) => taken.fence);
    const fromOffset = next;
    next += BigInt(mapped.length);
    const moved = mapped.map(({ record, ...rest }, index) => ({
      ...rest,
      record: { ...record, offset: fromOffset + BigInt(index) },
    }));
    const batch = { ...at, compiled, mapped: moved, fromOffset, toOffset: next, highWatermark: next };
    await store.commit({ ...batch, fence: await fence });
  };
}

async function openPeer(database: string): Promise<Side> {
  const [, project = '', , instance = '', , id = ''] = database.split('/');
  const spanner = new Spanner({ projectId: project });
  const opened = spanner.instance(instance).database(id);
  const table = opened.table('Flights');
  const rowsOf = (batch: readonly RawRecord[]) => batch.map(({ key, value }) => peerRow(key, value));
  return {
    encode(batch) {
      const mutations = new MutationSet();
      mutations.upsert('Flights', rowsOf(batch));
      return mutations.proto().reduce((sum, { insertOrUpdate }) => sum + (insertOrUpdate?.values?.length ?? 0), 0);
    },
    prepare(batches) {
      const rows = batches.map(rowsOf);
      return async (at) => void (await table.upsert(rows[at % rows.length] ?? []));
    },
    async close() {
      await opened.close();
      spanner.close();
    },
  };
}

async function readBatches(): Promise<RawRecord[][]> {
  const batches: RawRecord[][] = [[]];
  let offset = 0n;
  for await (const chunk of readFlights(FLIGHTS)) {
    for (const { id, ...value } of chunk) {
      if (batches.at(-1)?.length === BATCH_ROWS) batches.push([]);
      const content = { key: Buffer.from(id), value: Buffer.from(JSON.stringify(value)), headers: [] };
      batches.at(-1)?.push({ ...content, timestampMs: 0, topic, partition: 0, offset: offset++ });
    }
  }
  return batches;
}

/** Measures one side: microseconds of CPU for each row, encoding alone and with the commit. */
async function measure([which = '', database = '']: readonly string[]): Promise<void> {
  const side = await (which === 'ours' ? openOurs(database) : openPeer(database));
  const batches = await readBatches();
  const encodeAll = (): number => batches.reduce((sum, batch) => sum + side.encode(batch), 0);
  if (encodeAll() !== FLIGHTS || encodeAll() !== FLIGHTS) throw new Error('Some rows were not encoded');
  let from = ownCpuSeconds();
  for (let pass = 0; pass < ENCODE_PASSES; pass += 1) encodeAll();
  const encodeMicros = ((ownCpuSeconds() - from) / (ENCODE_PASSES * FLIGHTS)) * 1e6;
  const commit = side.prepare(batches);
  for (let at = 0; at < batches.length; at += 1) await commit(at);
  from = ownCpuSeconds();
  for (let at = 0; at < COMMIT_PASSES * batches.length; at += 1) await commit(at);
  const writeMicros = ((ownCpuSeconds() - from) / (COMMIT_PASSES * FLIGHTS)) * 1e6;
  process.stdout.write(`${JSON.stringify({ jsonToMutationMicros: encodeMicros, writeCpuMicros: writeMicros })}\n`);
  await side.close();
}

await measure(process.argv.slice(2));
