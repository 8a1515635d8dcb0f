import type { Schema, Table } from '../schema.ts';
import { informationSchemaTables } from './information-schema.ts';
import type { Message } from './protos.ts';
import { toTypeProto } from './type-proto.ts';

/** Tables as a zetasql.SimpleCatalogProto; the position in the list, from 1, is a table's serialization id. */
export function toCatalog(tables: Iterable<Table>, language: Message): Message {
  return {
    name: 'spanner',
    table: [...tables].map((table, position) => toTable(table, position + 1)),
    builtin_function_options: { language_options: language },
  };
}

/** The tables that a prepared query may name: the schema's, and INFORMATION_SCHEMA's where its text speaks of them. */
export function visibleTables(schema: Schema, preparedSql: string): Table[] {
  const own = preparedSql.includes('information_schema_') ? informationSchemaTables : [];
  return [...schema.tables.values(), ...own];
}

// The primary key stays out: ZetaSQL needs it for DML only.
function toTable(table: Table, serializationId: number): Message {
  return {
    name: table.name,
    serialization_id: serializationId,
    column: table.columns.map((column) => ({ name: column.name, type: toTypeProto(column.type) })),
  };
}
