import { readFileSync } from 'node:fs';
import type { Database, Spanner } from '@google-cloud/spanner';
import { PenstockError } from '../../shared/base/errors.ts';

const EMULATOR_CONFIG = 'emulator-config';

/** A table or index of `schema.sql`. */
interface Wanted {
  readonly kind: 'TABLE' | 'INDEX';
  readonly name: string;
  readonly statement: string;
  /** `Name TYPE …` of each column; empty for an index. */
  readonly columns: readonly { readonly name: string; readonly definition: string }[];
  /** `ROW DELETION POLICY (…)`; undefined for what is kept. */
  readonly policy: string | undefined;
}

/** Penstock's control tables. */
export const controlSchema: string = readFileSync(new URL('./schema.sql', import.meta.url), 'utf8');

/**
 * Brings a database up to a schema: creates the tables and indexes that are missing, adds missing columns and
 * row deletion policies.
 *
 * On an emulator the instance and the database are created too. Nothing is ever dropped or changed.
 *
 * @param ddl CREATE TABLE and CREATE INDEX statements, one column a line
 * @returns the statements that were applied; empty when the database was up to date
 */
export async function migrate(database: Database, ddl: string): Promise<string[]> {
  const existing = await database.getSchema().then(([statements]) => statements.map(String), missingDatabase);
  const statements = parseSchema(ddl).flatMap((wanted) => missingStatements(wanted, existing));
  if (statements.length > 0) {
    const [operation] = await database.updateSchema(statements);
    await operation.promise();
  }
  return statements;
}

/** Creates instance and database on an emulator, where nobody else does. */
export async function createOnEmulator(spanner: Spanner, path: string): Promise<void> {
  const [, project, , instanceId = '', , databaseId = ''] = path.split('/');
  const instance = spanner.instance(instanceId);
  if (!(await instance.exists())[0]) {
    const config = `projects/${project}/instanceConfigs/${EMULATOR_CONFIG}`;
    const [, operation] = await instance.create({ config, nodes: 1, displayName: instanceId });
    await operation.promise();
  }
  const database = instance.database(databaseId);
  if (!(await database.exists())[0]) {
    const [, operation] = await instance.createDatabase(databaseId);
    await operation.promise();
  }
}

function missingDatabase(cause: unknown): never {
  throw new PenstockError(`Cannot read the schema of the database: ${cause instanceof Error ? cause.message : cause}`, {
    code: 'DATABASE_UNAVAILABLE',
    remedy: 'Create the instance and the database first, and check `spanner.database` in the declaration',
    retryable: true,
    cause,
  });
}

/** @returns what a `.sql` file of CREATE statements asks for */
export function parseSchema(ddl: string): Wanted[] {
  return ddl
    .replaceAll(/--.*$/gm, '')
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
    .map((statement) => {
      const [, kind, name] = /^CREATE (?:UNIQUE |NULL_FILTERED )*(TABLE|INDEX) (\w+)/.exec(statement) ?? [];
      if ((kind !== 'TABLE' && kind !== 'INDEX') || name === undefined) {
        throw new Error(
          `Cannot migrate a statement other than CREATE TABLE or CREATE INDEX: ${statement.slice(0, 80)}`,
        );
      }
      const columns =
        kind === 'INDEX'
          ? []
          : [...statement.matchAll(/^ {2}(\w+) (.+),$/gm)].map(([, column = '', type = '']) => ({
              name: column,
              definition: `${column} ${type}`,
            }));
      const [policy] = /ROW DELETION POLICY \(.*\)/.exec(statement) ?? [];
      return { kind, name, statement, columns, policy };
    });
}

function missingStatements(wanted: Wanted, existing: readonly string[]): string[] {
  const pattern = new RegExp(`^CREATE (?:UNIQUE |NULL_FILTERED )*${wanted.kind} \`?${wanted.name}\`?\\b`, 'i');
  const found = existing.find((statement) => pattern.test(statement.trim()));
  if (found === undefined) return [wanted.statement];
  const columns = wanted.columns
    .filter(({ name }) => !new RegExp(`^\\s*\`?${name}\`?\\s`, 'im').test(found))
    .map(({ definition }) => `ALTER TABLE ${wanted.name} ADD COLUMN ${definition}`);
  // Another interval is a choice of the database's owner.
  const lacksPolicy = wanted.policy !== undefined && !/ROW DELETION POLICY/i.test(found);
  return [...columns, ...(lacksPolicy ? [`ALTER TABLE ${wanted.name} ADD ${wanted.policy}`] : [])];
}
