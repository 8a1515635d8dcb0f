import { ConfigError, PenstockError } from '../../../base/errors.ts';
import type { Pipeline } from '../../../model/config/declaration.ts';
import { type CompiledPipeline, compilePipeline } from '../../../model/events/compile-pipeline.ts';
import { columnsToAdd } from '../../../model/events/tables/add-columns.ts';
import { checkPipeline } from '../../../model/events/tables/check-pipeline.ts';
import { type NewestSchemas, newestSchemas, recordShapes } from '../../../model/events/tables/record-shapes.ts';
import { unknownShapes } from '../../../model/events/tables/source-type.ts';
import type { TableSchema } from '../../../model/events/tables/table-schema.ts';
import { loadFormats } from '../../../model/formats/decoder-of.ts';
import type { SchemaBook } from '../../../model/formats/schema-book.ts';

/** What can tell a table's schema. */
export interface TableReader {
  /** The database, for messages. */
  readonly database: string;
  /** @returns undefined when the database has no such table */
  readTable(table: string): Promise<TableSchema | undefined>;
  /** Runs DDL, for `onDrift: add-column`; without it, columns that are missing are named. */
  changeSchema?(statements: readonly string[]): Promise<void>;
}

/**
 * Reads a pipeline's tables, adds the columns that `onDrift: add-column` asks for, checks that they fit the pipeline and
 * its schemas, and compiles it for them.
 *
 * @throws {ConfigError} naming everything in which tables and pipeline do not fit
 * @throws {SchemaChangeError} when columns cannot be added
 * @throws {RegistryUnavailableError} when columns are missing whose types the registry cannot tell now
 * @throws {StoreUnavailableError} while Spanner cannot be reached
 */
export async function openPipeline(
  reader: TableReader,
  pipeline: Pipeline,
  schemas?: SchemaBook,
): Promise<CompiledPipeline> {
  await loadFormats([pipeline.format, pipeline.keyFormat]);
  const { newest, shapes, failure } = await readShapes(pipeline, schemas);
  let tables = await readTables(reader, pipeline);
  const missing = columnsToAdd(pipeline, tables, shapes);
  if (missing.length > 0 && reader.changeSchema) {
    // A type that the registry would have told must not be guessed.
    if (failure instanceof PenstockError) throw failure;
    await reader.changeSchema(missing);
    tables = await readTables(reader, pipeline);
  }
  const problems = checkPipeline(pipeline, tables, reader.database, shapes);
  if (problems.length > 0) throw new ConfigError(problems);
  const compiled = compilePipeline(pipeline, tables, schemas);
  opened.set(compiled, { schemas, newest });
  return compiled;
}

/** Which registered schemas a pipeline was checked against. */
const opened = new WeakMap<
  CompiledPipeline,
  { readonly schemas: SchemaBook | undefined; readonly newest: NewestSchemas }
>();

/** Whether a table, or the newest schema of the topic, is no longer what the pipeline was opened for. */
export async function tablesChanged(reader: TableReader, compiled: CompiledPipeline): Promise<boolean> {
  const { pipeline, targets } = compiled;
  const tables = await readTables(reader, pipeline);
  if (targets.some(({ target, table }) => JSON.stringify(tables.get(target.table)) !== JSON.stringify(table)))
    return true;
  const { schemas, newest } = opened.get(compiled) ?? {};
  if (!newest) return false;
  // A registry that cannot be asked tells no change.
  const now = await newestSchemas(pipeline, schemas).catch(() => newest);
  return JSON.stringify(now) !== JSON.stringify(newest);
}

/** A registry that is down, or a schema that is none, keeps no pipeline from starting: its records say so. */
async function readShapes(pipeline: Pipeline, schemas: SchemaBook | undefined) {
  let newest: NewestSchemas = { value: undefined, key: undefined };
  try {
    newest = await newestSchemas(pipeline, schemas);
    return { newest, shapes: await recordShapes(pipeline, newest), failure: undefined };
  } catch (failure) {
    return { newest, shapes: unknownShapes, failure };
  }
}

async function readTables(reader: TableReader, { targets }: Pipeline): Promise<ReadonlyMap<string, TableSchema>> {
  const tables = new Map<string, TableSchema>();
  for (const name of new Set(targets.map(({ table }) => table))) {
    const table = await reader.readTable(name);
    if (table) tables.set(name, table);
  }
  return tables;
}
