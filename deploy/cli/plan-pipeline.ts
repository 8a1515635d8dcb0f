import { ConfigError, messageOf } from '../../shared/base/errors.ts';
import { noLog } from '../../shared/base/log.ts';
import { openCredentialSources } from '../../shared/connect/credential-sources.ts';
import { openDeclaredRegistry } from '../../shared/connect/declared-registry.ts';
import type { Declaration, Pipeline } from '../../shared/model/config/declaration.ts';
import { usesRegistry } from '../../shared/model/config/uses-registry.ts';
import { type PlannedTable, planTables } from '../../shared/model/events/tables/plan-tables.ts';
import { type NewestSchemas, newestSchemas, recordShapes } from '../../shared/model/events/tables/record-shapes.ts';
import type { Output } from './output.ts';

/**
 * Plans the tables of a pipeline by its schema files, or by the newest schemas that the registry has of its topic
 * (`TOPIC-value` and `TOPIC-key`).
 *
 * @throws {ConfigError} for a schema that cannot be used, and for a table without a key
 */
export async function planPipeline(
  declaration: Declaration,
  pipeline: Pipeline,
  output: Output,
): Promise<readonly PlannedTable[]> {
  const newest = await newestOf(declaration, pipeline, output);
  const shapes = await recordShapes(pipeline, newest).catch((error: unknown) => {
    const problem = {
      path: `pipelines.${pipeline.name}.schema`,
      message: messageOf(error),
      remedy: 'Correct the schema',
    };
    throw new ConfigError([problem]);
  });
  return planTables(pipeline, shapes);
}

async function newestOf(declaration: Declaration, pipeline: Pipeline, output: Output): Promise<NewestSchemas> {
  const { registry, spanner } = declaration;
  if (!registry || !usesRegistry(pipeline)) return { value: undefined, key: undefined };
  const sources = openCredentialSources({ database: spanner.database, log: noLog });
  const client = await openDeclaredRegistry(registry, sources);
  try {
    const newest = await newestSchemas(pipeline, client);
    if (!newest.value && !newest.key) {
      output.progress(
        `The registry has no usable schema of pipeline ${pipeline.name}: the declaration alone tells the columns.`,
      );
    }
    return newest;
  } finally {
    client.close();
    await sources.close();
  }
}
