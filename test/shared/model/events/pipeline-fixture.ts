import type { ColumnSource, Pipeline } from '../../../../shared/model/config/declaration.ts';
import { type CompiledPipeline, compilePipeline } from '../../../../shared/model/events/compile-pipeline.ts';
import type { CompiledTarget } from '../../../../shared/model/events/compile-target.ts';
import type { RawRecord } from '../../../../shared/model/events/records/raw-record.ts';
import {
  readColumnType,
  type TableColumn,
  type TableSchema,
} from '../../../../shared/model/events/tables/table-schema.ts';
import { plainColumn, plainPipeline } from '../config/plain-pipeline.ts';

export function column(name: string, typeText: string, more: Partial<TableColumn> = {}): TableColumn {
  const type = readColumnType(typeText);
  return {
    name,
    typeText,
    type,
    notNull: false,
    hasDefault: false,
    generated: false,
    allowCommitTimestamp: false,
    ...more,
  };
}

export function table(columns: readonly TableColumn[], primaryKey: readonly string[] = ['Id']): TableSchema {
  return { name: 'T', columns, primaryKey, indexes: [] };
}

export function field(name: string, path: string, format?: string, zone?: string): ColumnSource {
  return plainColumn(name, { kind: 'field', path }, { format, zone });
}

/** Into table `T`, whose key `Id` is the record's key. */
export function pipeline({ pipeline: settings, ...target }: Parameters<typeof plainPipeline>[0] = {}): Pipeline {
  return plainPipeline({ columns: [plainColumn('Id', { kind: 'key' })], ...target, pipeline: settings ?? {} });
}

/** Compiles a pipeline into one table. */
export function compiledFor(pipeline: Pipeline, table: TableSchema): CompiledPipeline {
  return compilePipeline(pipeline, new Map(pipeline.targets.map((target) => [target.table, table])));
}

/** The only target of a compiled pipeline. */
export function targetOf({ targets }: CompiledPipeline): CompiledTarget {
  const [target] = targets;
  if (!target) throw new Error('The pipeline has no target');
  return target;
}

export function record(key: string | null, value: string | null, offset = 0n): RawRecord {
  return {
    key: key === null ? null : Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
    headers: [],
    timestampMs: 1_700_000_000_000,
    topic: 't',
    partition: 0,
    offset,
  };
}
