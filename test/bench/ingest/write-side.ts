import { setImmediate } from 'node:timers/promises';
import { MutationSet, Spanner } from '@google-cloud/spanner';
import { readFlights } from '../../../deploy/cli/demo/flights.ts';
import { loadDeclaration } from '../../../shared/adapters/declaration/load-declaration.ts';
import { openSpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import { encodeCommit } from '../../../shared/adapters/spanner/commit-bytes.ts';
import {
  type EventStore,
  openEventStore,
  type PartitionTaken,
} from '../../../shared/adapters/spanner/ingest/event-store.ts';
import { type CompiledPipeline, compilePipeline } from '../../../shared/model/events/compile-pipeline.ts';
import type { RawRecord } from '../../../shared/model/events/records/raw-record.ts';
import { resolveBatch } from '../../../shared/model/events/resolve/resolve-batch.ts';
import { ownCpuSeconds } from '../process-meter.ts';
import { flightSchema, flightType, readFlight } from './flight-avro.ts';
import { parseFlight, peerRow } from './peer-row.ts';
import { topic } from './topic.ts';

/** Rows of a batch: about what one fetch of half a MiB gives. */
const BATCH_ROWS = 4_000;
const FLIGHTS = 20_000;
/** Until V8 has compiled what runs: a sink runs for days. */
const WARM_UP_PASSES = 20;
const COMMIT_WARM_UP_PASSES = 3;
const ENCODE_PASSES = 30;
const COMMIT_PASSES = 5;

interface Side {
  /** Raw records to mutations, ours in the protocol's bytes, the client's as its own objects; returns how many rows. */
  encode(batch: readonly RawRecord[]): number;
  /** Takes the n-th pass over the batches: raw records to committed rows. */
  commit(batch: readonly RawRecord[], pass: number): Promise<void>;
  close(): Promise<void>;
}

type Format = 'json' | 'avro';

async function openOurs(database: string, format: Format): Promise<Side> {
  const declaration = await loadDeclaration(process.env);
  const store = openEventStore(openSpannerChannel(database, process.env), { identity: 'bench', owner: 'bench' });
  const pipeline = declaration.pipelines.flights;
  const table = await store.readTable('Flights');
  if (!pipeline || !table) throw new Error('The stage has no pipeline or no table');
  const avro = { kind: 'avro', schema: { kind: 'file', file: 'flight.avsc', text: flightSchema } } as const;
  const written = format === 'json' ? pipeline : { ...pipeline, format: avro };
  const compiled = compilePipeline(written, new Map([['Flights', table]]));
  return {
    encode(batch) {
      const { mutations, rowCount } = resolveBatch(compiled, compiled.mapAll(batch), new Map());
      encodeCommit({ session: database, transactionId: Buffer.alloc(16), mutations });
      return rowCount;
    },
    commit: committer(store, compiled),
    close: () => store.close(),
  };
}

/** Commits what a partition holds, a partition of its own for each pass. */
function committer(store: EventStore, compiled: CompiledPipeline): Side['commit'] {
  const fences = new Map<number, Promise<PartitionTaken>>();
  return async (batch, pass) => {
    const at = { pipeline: compiled.pipeline.name, topic, partition: pass, topicId: 'bench' };
    const taking = fences.get(pass) ?? store.raiseFence({ ...at, earliestOffset: 0n, highWatermark: 0n });
    fences.set(pass, taking);
    const { fence } = await taking;
    const fromOffset = batch[0]?.offset ?? 0n;
    const toOffset = fromOffset + BigInt(batch.length);
    const mapped = compiled.mapAll(batch);
    await store.commit({ ...at, compiled, mapped, fromOffset, toOffset, highWatermark: toOffset, fence });
  };
}

async function openPeer(database: string, format: Format): Promise<Side> {
  const read = format === 'json' ? parseFlight : readFlight;
  const [, project = '', , instance = '', , id = ''] = database.split('/');
  const spanner = new Spanner({ projectId: project });
  const opened = spanner.instance(instance).database(id);
  const mutationsOf = (batch: readonly RawRecord[]): MutationSet => {
    const mutations = new MutationSet();
    mutations.upsert(
      'Flights',
      batch.map(({ key, value }) => peerRow(key, value, read)),
    );
    return mutations;
  };
  return {
    encode: (batch) =>
      mutationsOf(batch)
        .proto()
        .reduce((sum, { insertOrUpdate }) => sum + (insertOrUpdate?.values?.length ?? 0), 0),
    async commit(batch) {
      await opened.writeAtLeastOnce(mutationsOf(batch));
    },
    async close() {
      await opened.close();
      spanner.close();
    },
  };
}

async function readBatches(format: Format): Promise<RawRecord[][]> {
  const batches: RawRecord[][] = [[]];
  let offset = 0n;
  for await (const chunk of readFlights(FLIGHTS)) {
    for (const { id, ...value } of chunk) {
      if (batches.at(-1)?.length === BATCH_ROWS) batches.push([]);
      const bytes = format === 'json' ? Buffer.from(JSON.stringify(value)) : flightType.toBuffer(value);
      const content = { key: Buffer.from(id), value: bytes, headers: [] };
      batches.at(-1)?.push({ ...content, timestampMs: 0, topic, partition: 0, offset: offset++ });
    }
  }
  return batches;
}

/**
 * Measures one side: microseconds of CPU for each row, from its record's bytes to a mutation, and for JSON to the commit.
 * Each format has a process of its own, as a sink has.
 */
async function measure([which = '', database = '', format = '']: readonly string[]): Promise<void> {
  if (format !== 'json' && format !== 'avro') throw new Error(`There is no format ${format}`);
  const side = await (which === 'ours' ? openOurs(database, format) : openPeer(database, format));
  const batches = await readBatches(format);
  const encodeAll = (): number => batches.reduce((sum, batch) => sum + side.encode(batch), 0);
  // Between passes the event loop turns, as a sink's does: the client opens its session meanwhile.
  for (let pass = 0; pass < WARM_UP_PASSES; pass += 1) {
    if (encodeAll() !== FLIGHTS) throw new Error('Some rows were not encoded');
    await setImmediate();
  }
  const from = ownCpuSeconds();
  for (let pass = 0; pass < ENCODE_PASSES; pass += 1) {
    encodeAll();
    await setImmediate();
  }
  const encodeMicros = ((ownCpuSeconds() - from) / (ENCODE_PASSES * FLIGHTS)) * 1e6;
  const figures = format === 'json' ? await writeFigures(side, batches) : {};
  process.stdout.write(`${JSON.stringify({ [`${format}ToMutationMicros`]: encodeMicros, ...figures })}\n`);
  await side.close();
}

async function writeFigures(side: Side, batches: readonly (readonly RawRecord[])[]) {
  let pass = 0;
  const commitAll = async (): Promise<void> => {
    for (const batch of batches) await side.commit(batch, pass);
    pass += 1;
  };
  for (let round = 0; round < COMMIT_WARM_UP_PASSES; round += 1) await commitAll();
  const from = ownCpuSeconds();
  for (let round = 0; round < COMMIT_PASSES; round += 1) await commitAll();
  return { writeCpuMicros: ((ownCpuSeconds() - from) / (COMMIT_PASSES * FLIGHTS)) * 1e6 };
}

await measure(process.argv.slice(2));
