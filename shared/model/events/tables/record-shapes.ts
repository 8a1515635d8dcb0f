import type { Pipeline, RecordFormat } from '../../config/declaration.ts';
import type { SchemaBook } from '../../formats/schema-book.ts';
import { messageShape, type ShapeSource } from '../../formats/shapes/message-shape.ts';
import { anyShape } from '../../formats/shapes/value-shape.ts';
import type { RecordShapes } from './source-type.ts';

/** The newest schemas that a registry has of a pipeline's topic; undefined for what it has not, or is not asked for. */
export interface NewestSchemas {
  readonly value: ShapeSource | undefined;
  readonly key: ShapeSource | undefined;
}

/**
 * Asks a registry for the newest schemas of a pipeline's topic, by the subjects `TOPIC-value` and `TOPIC-key`. Topics
 * of one pipeline hold the same kind of records, so that the first one is asked for; those of a pattern are not known here.
 *
 * @throws whatever the registry's client throws while it cannot be asked
 */
export async function newestSchemas(
  { source, format, keyFormat }: Pipeline,
  book: Pick<SchemaBook, 'latest'> | undefined,
): Promise<NewestSchemas> {
  const newest = async (one: RecordFormat | undefined, part: 'value' | 'key'): Promise<ShapeSource | undefined> => {
    const isRegistered = one && 'schema' in one && one.schema.kind === 'registry';
    const [topic] = source.kind === 'kafka' ? source.topics : [];
    if (!isRegistered || topic === undefined || !book?.latest) return undefined;
    const found = await book.latest(`${topic}-${part}`);
    return found !== 'absent' && 'text' in found ? { text: found.text, references: found.references } : undefined;
  };
  return { value: await newest(format, 'value'), key: await newest(keyFormat, 'key') };
}

/**
 * What schemas say of a pipeline's records: those of files, and the registry's newest.
 *
 * @throws {Error} for a schema that cannot be used
 */
export async function recordShapes(
  { format, keyFormat }: Pick<Pipeline, 'format' | 'keyFormat'>,
  newest: NewestSchemas = { value: undefined, key: undefined },
): Promise<RecordShapes> {
  return {
    value: await messageShape(format, newest.value),
    key: keyFormat ? await messageShape(keyFormat, newest.key) : anyShape,
  };
}
