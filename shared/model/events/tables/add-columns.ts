import type { Pipeline, Target } from '../../config/declaration.ts';
import { findColumn } from './column-plan.ts';
import { type RecordShapes, typeOfCounter, typeOfSource, typeOfVersion } from './source-type.ts';
import type { TableSchema } from './table-schema.ts';

/**
 * The DDL that adds the columns which a pipeline declares and its tables lack; none unless it says `onDrift: add-column`.
 *
 * Columns come without NOT NULL: rows that are there have nothing for them. Repeating a statement does nothing, so that
 * workers that see the lack at the same time need not agree who mends it.
 */
export function columnsToAdd(
  pipeline: Pipeline,
  tables: ReadonlyMap<string, TableSchema>,
  shapes: RecordShapes,
): readonly string[] {
  if (pipeline.onDrift !== 'add-column') return [];
  const statements = pipeline.targets.flatMap((target) => {
    const table = tables.get(target.table);
    if (!table) return [];
    return [...wantedColumns(pipeline, target, shapes)]
      .filter(([name]) => !findColumn(table, name))
      .map(([name, type]) => `ALTER TABLE \`${table.name}\` ADD COLUMN IF NOT EXISTS \`${name}\` ${type}`);
  });
  return [...new Set(statements)];
}

function wantedColumns(pipeline: Pipeline, target: Target, shapes: RecordShapes): Map<string, string> {
  const columns = new Map<string, string>();
  for (const source of target.columns) columns.set(source.column, typeOfSource(source, pipeline, shapes).type);
  for (const into of target.aggregate?.into ?? []) {
    columns.set(into.column, typeOfCounter(into, shapes).type);
    if (into.by) columns.set(into.by.column, typeOfVersion(into.by.field, shapes).type);
  }
  return columns;
}
