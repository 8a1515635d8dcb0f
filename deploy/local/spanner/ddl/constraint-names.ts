import { createHash } from 'node:crypto';
import type { CheckConstraint, ForeignKey, Schema, Table } from '../schema.ts';
import { sameName, schemaError } from './schema-error.ts';

const HASH_DIGITS = 16;

/** The table with a name for each constraint that was declared without one. */
export function withConstraintNames(schema: Schema, table: Table): Table {
  const taken = new Set(namesBut(schema, table));
  const take = (name: string): string => {
    if (taken.has(name.toLowerCase())) throw schemaError(`Duplicate name in schema: ${name}.`);
    taken.add(name.toLowerCase());
    return name;
  };
  const named = <T extends CheckConstraint | ForeignKey>(constraint: T): T => {
    if (constraint.name !== '') {
      take(constraint.name);
      return constraint;
    }
    let count = 1;
    while (taken.has(automaticName(table, constraint, count).toLowerCase())) count++;
    return { ...constraint, name: take(automaticName(table, constraint, count)) };
  };
  return { ...table, checks: table.checks.map(named), foreignKeys: table.foreignKeys.map(named) };
}

/** Whether the constraint would get its name anyhow: then DDL is printed without it. */
export function isAutomaticName(table: Table, constraint: CheckConstraint | ForeignKey): boolean {
  return constraint.name === automaticName(table, constraint, 1);
}

/** The names of a table's constraints, in lower case. */
export function constraintNames(table: Table): string[] {
  return [...table.checks, ...table.foreignKeys].map(({ name }) => name.toLowerCase());
}

/** Every name of the schema in lower case, those of the table's constraints apart. */
function* namesBut(schema: Schema, table: Table): Generator<string> {
  yield table.name.toLowerCase();
  yield* schema.tables.keys();
  yield* schema.indexes.keys();
  for (const other of schema.tables.values()) {
    if (!sameName(other.name, table.name)) yield* constraintNames(other);
  }
}

/** As production names constraints: the same one has the same name wherever it is declared. */
function automaticName(table: Table, constraint: CheckConstraint | ForeignKey, count: number): string {
  if ('expression' in constraint) return `CK_${table.name}_${hash([table.name, constraint.expression])}_${count}`;
  const { columns, referencedTable, referencedColumns } = constraint;
  const digits = hash([table.name, columns, referencedTable, referencedColumns]);
  return `FK_${table.name}_${referencedTable}_${digits}_${count}`;
}

function hash(content: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, HASH_DIGITS).toUpperCase();
}
