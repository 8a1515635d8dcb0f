import { ConfigError } from '../../../base/errors.ts';
import type { Pipeline } from '../../../model/config/declaration.ts';
import { checkPipeline } from '../../../model/events/check-pipeline.ts';
import { type CompiledPipeline, compilePipeline } from '../../../model/events/compile-pipeline.ts';
import type { TableSchema } from '../../../model/events/table-schema.ts';
import { loadFormats } from '../../../model/formats/decoder-of.ts';
import type { SchemaBook } from '../../../model/formats/schema-book.ts';

/** What can tell a table's schema. */
export interface TableReader {
  /** The database, for messages. */
  readonly database: string;
  /** @returns undefined when the database has no such table */
  readTable(table: string): Promise<TableSchema | undefined>;
}

/**
 * Reads a pipeline's tables, checks that they fit it, and compiles it for them.
 *
 * @throws {ConfigError} naming everything in which tables and pipeline do not fit
 * @throws {StoreUnavailableError} while Spanner cannot be reached
 */
export async function openPipeline(
  reader: TableReader,
  pipeline: Pipeline,
  schemas?: SchemaBook,
): Promise<CompiledPipeline> {
  await loadFormats([pipeline.format, pipeline.keyFormat]);
  const tables = await readTables(reader, pipeline);
  const problems = checkPipeline(pipeline, tables, reader.database);
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
