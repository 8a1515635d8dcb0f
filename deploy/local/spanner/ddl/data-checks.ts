import type { Column, Schema } from '../schema.ts';

/** A column whose existing values must be looked at before a DDL statement may take effect. */
export interface DataCheck {
  readonly table: string;
  readonly column: Column;
  /** `no-nulls` for a new NOT NULL; `fits` for a shorter length or a change between STRING and BYTES. */
  readonly must: 'no-nulls' | 'fits';
}

/** What existing rows must satisfy for a schema change; new unique indexes are the caller's to check while filling them. */
export function dataChecks(before: Schema, after: Schema): DataCheck[] {
  const checks: DataCheck[] = [];
  for (const [key, table] of after.tables) {
    for (const column of table.columns) {
      const old = before.tables.get(key)?.columns.find((candidate) => candidate.name === column.name);
      if (!old) continue;
      if (column.notNull && !old.notNull) checks.push({ table: table.name, column, must: 'no-nulls' });
      const shorter = (column.maxLength ?? Infinity) < (old.maxLength ?? Infinity);
      if (shorter || leafCode(column) !== leafCode(old)) checks.push({ table: table.name, column, must: 'fits' });
    }
  }
  return checks;
}

/** Tables whose rows must be held to a CHECK constraint that they had not before. */
export function tablesWithNewChecks(before: Schema, after: Schema): string[] {
  return [...after.tables].flatMap(([key, table]) => {
    const old = before.tables.get(key);
    return old && table.checks.some((check) => !old.checks.includes(check)) ? [table.name] : [];
  });
}

/** The enforced foreign keys that tables with rows have not had before. */
export function newForeignKeys(before: Schema, after: Schema): { table: string; name: string }[] {
  return [...after.tables].flatMap(([key, table]) => {
    const old = before.tables.get(key);
    const added = table.foreignKeys.filter(
      (foreignKey) => foreignKey.enforced && !old?.foreignKeys.includes(foreignKey),
    );
    return old ? added.map(({ name }) => ({ table: table.name, name })) : [];
  });
}

function leafCode(column: Column): string {
  return column.type.code === 'ARRAY' ? column.type.element.code : column.type.code;
}
