import type { Pipeline } from '../config/declaration.ts';
import { usesRegistry } from '../config/uses-registry.ts';
import { decoderOf } from '../formats/decoder-of.ts';
import type { RecordDecoder } from '../formats/record-decoder.ts';
import { noSchemas, type SchemaBook } from '../formats/schema-book.ts';
import { type CompiledTarget, compileTarget } from './compile-target.ts';
import type { MappedRecord } from './records/mapped-record.ts';
import type { OpenedRecord } from './records/opened-record.ts';
import { PoisonError } from './records/poison.ts';
import type { RawRecord } from './records/raw-record.ts';
import { conditionOf, type MeetsCondition } from './records/routes.ts';
import type { Change } from './resolve/change.ts';
import { WireWriter } from './row-bytes.ts';
import type { TableSchema } from './tables/table-schema.ts';

/** A pipeline made ready for one version of its tables. */
export interface CompiledPipeline {
  readonly pipeline: Pipeline;
  /** In the declaration's order. */
  readonly targets: readonly CompiledTarget[];
  /** What a record asks of which table. Never throws for a record, whatever it holds. */
  readonly map: (record: RawRecord) => MappedRecord;
  /** `map` of each; plain records are written straight into one arena, from their bytes to the row's. */
  readonly mapAll: (records: readonly RawRecord[]) => MappedRecord[];
  /** The ids of registered schemas that these records need and that are not known yet. */
  readonly missingSchemas: (records: readonly RawRecord[]) => readonly number[];
  /**
   * Waits until every schema that these records need is known: map them right after, before waiting for anything else.
   *
   * @returns undefined where there is nothing to wait for
   * @throws {RegistryUnavailableError} when the registry cannot be asked
   */
  readonly prepare: (records: readonly RawRecord[]) => Promise<void> | undefined;
}

/** The pipeline's tables, for messages. */
export function tableNames({ targets }: CompiledPipeline): string {
  return targets.map(({ table }) => table.name).join(', ');
}

/** About what a row takes: the arena grows when it is more. */
const ARENA_BYTES_A_RECORD = 192;

interface Plan {
  readonly pipeline: Pipeline;
  readonly routes: readonly { readonly meets: MeetsCondition; readonly target: CompiledTarget }[];
  readonly value: RecordDecoder;
  readonly key: RecordDecoder | undefined;
}

/**
 * Compiles a pipeline once into a mapping of records to changes of its tables; call `loadFormats` before.
 *
 * @param tables by the name that the declaration gives them; check them with `checkPipeline` before
 * @param schemas the registered schemas, for formats that need them
 * @throws {RangeError} for patterns, zones or types that `checkPipeline` would have named, and for tables that are not there
 */
export function compilePipeline(
  pipeline: Pipeline,
  tables: ReadonlyMap<string, TableSchema>,
  schemas: SchemaBook = noSchemas,
): CompiledPipeline {
  const routes = pipeline.targets.map((target) => {
    const table = tables.get(target.table);
    if (!table) throw new RangeError(`There is no table ${target.table}`);
    return { meets: conditionOf(target.when), target: compileTarget(pipeline, target, table, schemas) };
  });
  const plan: Plan = {
    pipeline,
    routes,
    value: decoderOf(pipeline.format, { schemas, part: 'value' }),
    key: pipeline.keyFormat && decoderOf(pipeline.keyFormat, { schemas, part: 'key' }),
  };
  return {
    pipeline,
    targets: routes.map(({ target }) => target),
    map: (record) => mapSafely(plan, record),
    mapAll: (records) => mapAll(plan, records),
    ...schemaLoading(plan, schemas),
  };
}

function mapAll(plan: Plan, records: readonly RawRecord[]): MappedRecord[] {
  const [first] = plan.routes;
  const target = plan.pipeline.targets[0]?.when === undefined ? first?.target : undefined;
  if (!target?.straight) return records.map((record) => mapSafely(plan, record));
  const { straight } = target;
  const writer = new WireWriter(ARENA_BYTES_A_RECORD * records.length);
  const mapped: MappedRecord[] = [];
  for (const record of records) {
    const change = straight(record, writer);
    mapped.push(change ? { record, change, target } : mapSafely(plan, record));
  }
  return mapped;
}

function mapSafely(plan: Plan, record: RawRecord): MappedRecord {
  let target: CompiledTarget | undefined;
  try {
    const opened = open(plan, record);
    target = plan.routes.find(({ meets }) => meets(opened))?.target;
    const change = target ? target.map(opened) : unrouted(plan.pipeline);
    return { record, change, target };
  } catch (error) {
    return { record, change: poisonOf(error), target };
  }
}

function open(plan: Plan, record: RawRecord): OpenedRecord {
  return {
    record,
    value: record.value === null ? undefined : plan.value.decode(record.value),
    key: record.key === null ? undefined : plan.key?.decode(record.key),
  };
}

function unrouted({ unrouted: policy }: Pipeline): Change {
  if (policy === 'ignore') return { kind: 'none' };
  return { kind: 'poison', poison: 'unmappable', reason: 'No route of the pipeline takes the record' };
}

function poisonOf(error: unknown): Change {
  if (error instanceof PoisonError) return { kind: 'poison', poison: error.poison, reason: error.message };
  if (error instanceof RangeError) {
    return { kind: 'poison', poison: 'unmappable', reason: `The value is nested too deeply: ${error.message}` };
  }
  throw error;
}

function schemaLoading(plan: Plan, schemas: SchemaBook): Pick<CompiledPipeline, 'missingSchemas' | 'prepare'> {
  if (!usesRegistry(plan.pipeline)) return { missingSchemas: () => [], prepare: () => undefined };
  return {
    missingSchemas: (records) => missingSchemas(plan, records),
    prepare: (records) => schemas.prepare(() => missingSchemas(plan, records)),
  };
}

function missingSchemas({ value, key }: Plan, records: readonly RawRecord[]): readonly number[] {
  const missing = new Set<number>();
  for (const record of records) {
    const ofValue = record.value === null ? undefined : value.missingSchema(record.value);
    const ofKey = record.key === null ? undefined : key?.missingSchema(record.key);
    if (ofValue !== undefined) missing.add(ofValue);
    if (ofKey !== undefined) missing.add(ofKey);
  }
  return [...missing];
}
