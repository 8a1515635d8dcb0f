import { createHash } from 'node:crypto';
import type { CheckConstraint, Schema, Table } from '../schema.ts';
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
  const named = <T extends { readonly name: string }>(constraint: T, automatic: (count: number) => string): T => {
    if (constraint.name !== '') {
      take(constraint.name);
      return constraint;
    }
    let count = 1;
    while (taken.has(automatic(count).toLowerCase())) count++;
    return { ...constraint, name: take(automatic(count)) };
  };
  return { ...table, checks: table.checks.map((check) => named(check, (count) => checkName(table, check, count))) };
}

/** Whether the constraint would get its name anyhow: then DDL is printed without it. */
export function isAutomaticName(table: Table, check: CheckConstraint): boolean {
  return check.name === checkName(table, check, 1);
}

/** Every name of the schema in lower case, those of the table's constraints apart. */
function* namesBut(schema: Schema, table: Table): Generator<string> {
  yield table.name.toLowerCase();
  yield* schema.tables.keys();
  yield* schema.indexes.keys();
  for (const other of schema.tables.values()) {
    if (!sameName(other.name, table.name)) for (const name of constraintNames(other)) yield name;
  }
}

/** The names of a table's constraints, in lower case. */
export function constraintNames(table: Table): string[] {
  return table.checks.map(({ name }) => name.toLowerCase());
}

/** As production names a CHECK: the same constraint has the same name wherever it is declared. */
function checkName(table: Table, { expression }: CheckConstraint, count: number): string {
  return `CK_${table.name}_${hash(table.name, expression)}_${count}`;
}

function hash(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, HASH_DIGITS).toUpperCase();
}
