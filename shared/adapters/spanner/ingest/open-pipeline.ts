import { ConfigError } from '../../../base/errors.ts';
import type { Pipeline } from '../../../model/config/declaration.ts';
import { columnsToAdd } from '../../../model/events/add-columns.ts';
import { checkPipeline } from '../../../model/events/check-pipeline.ts';
import { type CompiledPipeline, compilePipeline } from '../../../model/events/compile-pipeline.ts';
import { recordShapes } from '../../../model/events/record-shapes.ts';
import { unknownShapes } from '../../../model/events/source-type.ts';
import type { TableSchema } from '../../../model/events/table-schema.ts';
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
 * its schema files, and compiles it for them.
 *
 * @throws {ConfigError} naming everything in which tables and pipeline do not fit
 * @throws {SchemaChangeError} when columns cannot be added
 * @throws {StoreUnavailableError} while Spanner cannot be reached
 */
export async function openPipeline(
  reader: TableReader,
  pipeline: Pipeline,
  schemas?: SchemaBook,
): Promise<CompiledPipeline> {
  await loadFormats([pipeline.format, pipeline.keyFormat]);
  const shapes = await recordShapes(pipeline).catch(() => unknownShapes);
  let tables = await readTables(reader, pipeline);
  const missing = columnsToAdd(pipeline, tables, shapes);
  if (missing.length > 0 && reader.changeSchema) {
    await reader.changeSchema(missing);
    tables = await readTables(reader, pipeline);
  }
  const problems = checkPipeline(pipeline, tables, reader.database, shapes);
  if (problems.length > 0) throw new ConfigError(problems);
  return compilePipeline(pipeline, tables, schemas);
}

/** Whether a table is no longer what the pipeline was compiled for. */
export async function tablesChanged(reader: TableReader, { pipeline, targets }: CompiledPipeline): Promise<boolean> {
  const tables = await readTables(reader, pipeline);
  return targets.some(({ target, table }) => JSON.stringify(tables.get(target.table)) !== JSON.stringify(table));
}

async function readTables(reader: TableReader, { targets }: Pipeline): Promise<ReadonlyMap<string, TableSchema>> {
  const tables = new Map<string, TableSchema>();
  for (const name of new Set(targets.map(({ table }) => table))) {
    const table = await reader.readTable(name);
    if (table) tables.set(name, table);
  }
  return tables;
}
