import type { SchemaRegistry } from '../../shared/adapters/registry/schema-registry.ts';
import { ConfigError, messageOf } from '../../shared/base/errors.ts';
import { noLog } from '../../shared/base/log.ts';
import { openCredentialSources } from '../../shared/connect/credential-sources.ts';
import { openDeclaredRegistry } from '../../shared/connect/declared-registry.ts';
import type { Declaration, Pipeline, RecordFormat } from '../../shared/model/config/declaration.ts';
import { type PlannedTable, planTables } from '../../shared/model/events/plan-tables.ts';
import { recordShapes } from '../../shared/model/events/record-shapes.ts';
import type { ShapeSource } from '../../shared/model/formats/shapes/message-shape.ts';
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
  const registered = await registeredShapes(declaration, pipeline, output);
  const shapes = await recordShapes(pipeline, registered).catch((error: unknown) => {
    const problem = {
      path: `pipelines.${pipeline.name}.schema`,
      message: messageOf(error),
      remedy: 'Correct the schema',
    };
    throw new ConfigError([problem]);
  });
  return planTables(pipeline, shapes);
}

async function registeredShapes(
  { registry, spanner }: Declaration,
  { source, format, keyFormat }: Pipeline,
  output: Output,
): Promise<{ readonly value?: ShapeSource | undefined; readonly key?: ShapeSource | undefined }> {
  const asksValue = isRegistered(format);
  const asksKey = keyFormat !== undefined && isRegistered(keyFormat);
  if (!registry || source.kind !== 'kafka' || !(asksValue || asksKey)) return {};
  const sources = openCredentialSources({ database: spanner.database, log: noLog });
  const client = openDeclaredRegistry(registry, sources);
  try {
    return {
      value: asksValue ? await newest(client, `${source.topic}-value`, output) : undefined,
      key: asksKey ? await newest(client, `${source.topic}-key`, output) : undefined,
    };
  } finally {
    client.close();
    await sources.close();
  }
}

function isRegistered(format: RecordFormat): boolean {
  return 'schema' in format && format.schema.kind === 'registry';
}

async function newest(client: SchemaRegistry, subject: string, output: Output): Promise<ShapeSource | undefined> {
  const found = await client.latest(subject);
  if (found !== 'absent' && 'text' in found) return found;
  output.progress(`The registry has no usable schema of subject ${subject}; only the declaration tells the columns.`);
  return undefined;
}
