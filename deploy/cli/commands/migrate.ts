import { migrateControlTables } from '../migrate-control-tables.ts';
import type { Output } from '../output.ts';
import { readConfig } from '../read-config.ts';

/** Creates or updates the control tables. */
export async function migrateCommand(options: { readonly config: string }, output: Output): Promise<void> {
  const { declaration } = await readConfig(options.config, ['spanner']);
  const applied = await migrateControlTables(declaration.spanner.database);
  const summary = applied.map((statement) => `  ${statement.slice(0, statement.search(/\s*\(|$/))}`);
  const text =
    applied.length === 0
      ? `${declaration.spanner.database} is up to date.`
      : `Applied to ${declaration.spanner.database}:\n${summary.join('\n')}`;
  output.result({ database: declaration.spanner.database, applied }, text);
}
