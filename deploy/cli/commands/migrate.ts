import type { Declaration } from '../../../shared/model/config/declaration.ts';
import { createMissingTables } from '../create-missing-tables.ts';
import { migrateControlTables } from '../migrate-control-tables.ts';
import type { Output } from '../output.ts';
import { planPipeline } from '../plan-pipeline.ts';
import { readConfig } from '../read-config.ts';

/** Creates or updates the control tables; with `tables`, creates those of pipelines that are missing. */
export async function migrateCommand(
  options: { readonly config: string; readonly tables?: boolean },
  output: Output,
): Promise<void> {
  const sections = options.tables ? ['spanner', 'registry'] : ['spanner'];
  const { declaration } = await readConfig(options.config, sections);
  const { database } = declaration.spanner;
  const applied = await migrateControlTables(database);
  if (options.tables) applied.push(...(await createMissingTables(database, await plannedTables(declaration, output))));
  const summary = applied.map((statement) => `  ${statement.slice(0, statement.search(/\s*\(|$/))}`);
  const text = applied.length === 0 ? `${database} is up to date.` : `Applied to ${database}:\n${summary.join('\n')}`;
  output.result({ database, applied }, text);
}

async function plannedTables(declaration: Declaration, output: Output) {
  const planned = [];
  for (const pipeline of Object.values(declaration.pipelines)) {
    planned.push(...(await planPipeline(declaration, pipeline, output)));
  }
  return planned;
}
