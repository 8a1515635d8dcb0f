import type { ColumnSource, Pipeline } from '../../../../shared/model/config/declaration.ts';
import type { RawRecord } from '../../../../shared/model/events/raw-record.ts';
import { readColumnType, type TableColumn, type TableSchema } from '../../../../shared/model/events/table-schema.ts';

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
  return { column: name, from: { kind: 'field', path }, format, zone };
}

export function pipeline(more: Partial<Pipeline> = {}): Pipeline {
  return {
    name: 'p',
    source: { kind: 'kafka', topic: 't', group: 'g' },
    format: 'json',
    table: 'T',
    mode: 'upsert',
    tombstones: 'delete',
    columns: [{ column: 'Id', from: { kind: 'key' }, format: undefined, zone: undefined }],
    guard: undefined,
    aggregate: undefined,
    onPoison: 'set-aside',
    onDrift: 'refuse',
    batch: { maxRows: 100, maxBytes: 1 << 20, lingerMs: 5 },
    commit: { priority: 'medium', maxDelayMs: 0, tag: undefined },
    ...more,
  };
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
