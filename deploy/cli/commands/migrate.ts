import type { Declaration } from '../../../shared/model/config/declaration.ts';
import { createMissingTables } from '../create-missing-tables.ts';
import { migrateAccess } from '../migrate-access.ts';
import { migrateControlTables } from '../migrate-control-tables.ts';
import type { Output } from '../output.ts';
import { requireOwn } from '../own-authority.ts';
import { planPipeline } from '../plan-pipeline.ts';
import { readConfig } from '../read-config.ts';

/**
 * Creates or updates the control tables; with `tables`, those of pipelines that are missing; with `access`, roles and grants. Policies
 * must let one `migrate` the database, and for roles and grants `grantRoles` on it.
 */
export async function migrateCommand(
  options: { readonly config: string; readonly tables?: boolean; readonly access?: boolean },
  output: Output,
): Promise<void> {
  const sections = options.tables ? ['spanner', 'registry'] : ['spanner'];
  const { declaration } = await readConfig(options.config, sections);
  const { database } = declaration.spanner;
  const resource = { type: 'Database', name: database.split('/').at(-1) ?? '' } as const;
  const asked = [['migrate', resource] as const, ...(options.access ? [['grantRoles', resource] as const] : [])];
  await requireOwn(declaration, asked);
  const applied = await migrateControlTables(database);
  if (options.tables) applied.push(...(await createMissingTables(database, await plannedTables(declaration, output))));
  if (options.access) applied.push(...(await migrateAccess(declaration)));
  const summary = applied.map((statement) => `  ${summaryOf(statement)}`);
  const text = applied.length === 0 ? `${database} is up to date.` : `Applied to ${database}:\n${summary.join('\n')}`;
  output.result({ database, applied }, text);
}

/** A table's columns are in its DDL; what a grant is about is in its brackets. */
function summaryOf(statement: string): string {
  return /^(?:GRANT|REVOKE) /.test(statement) ? statement : statement.slice(0, statement.search(/\s*\(|$/));
}

async function plannedTables(declaration: Declaration, output: Output) {
  const planned = [];
  for (const pipeline of Object.values(declaration.pipelines)) {
    planned.push(...(await planPipeline(declaration, pipeline, output)));
  }
  return planned;
}
