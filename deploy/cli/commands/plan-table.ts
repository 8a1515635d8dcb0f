import { ConfigError } from '../../../shared/base/errors.ts';
import type { Pipeline } from '../../../shared/model/config/declaration.ts';
import type { PlannedTable } from '../../../shared/model/events/tables/plan-tables.ts';
import type { Output } from '../output.ts';
import { planPipeline } from '../plan-pipeline.ts';
import { readConfig } from '../read-config.ts';

/** Prints the DDL that a pipeline needs. */
export async function planTable(
  options: { readonly config: string; readonly pipeline: string },
  output: Output,
): Promise<void> {
  const { declaration } = await readConfig(options.config, ['registry']);
  const pipeline = declaration.pipelines[options.pipeline];
  if (!pipeline) {
    const names = Object.keys(declaration.pipelines).join(', ');
    const problem = {
      path: `pipelines.${options.pipeline}`,
      message: 'is not declared',
      remedy: `Name one of: ${names}`,
    };
    throw new ConfigError([problem]);
  }
  const tables = await planPipeline(declaration, pipeline, output);
  output.result({ pipeline: pipeline.name, tables }, tables.map((table) => describe(pipeline, table)).join('\n\n'));
}

function describe(pipeline: Pipeline, { statement, guessed }: PlannedTable): string {
  if (guessed.length === 0) return `${statement};`;
  const what = guessed.join(', ');
  return `-- No schema of pipeline ${pipeline.name} tells the types of: ${what}. Name them before you use this.\n${statement};`;
}
