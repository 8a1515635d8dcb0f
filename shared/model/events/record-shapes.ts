import type { Pipeline } from '../config/declaration.ts';
import { messageShape, type ShapeSource } from '../formats/shapes/message-shape.ts';
import { anyShape } from '../formats/shapes/value-shape.ts';
import type { RecordShapes } from './source-type.ts';

/**
 * What a pipeline's schema files say of its records.
 *
 * @param registered the registry's schemas, where they were asked for
 * @throws {Error} for a schema that cannot be used
 */
export async function recordShapes(
  { format, keyFormat }: Pick<Pipeline, 'format' | 'keyFormat'>,
  registered: { readonly value?: ShapeSource | undefined; readonly key?: ShapeSource | undefined } = {},
): Promise<RecordShapes> {
  return {
    value: await messageShape(format, registered.value),
    key: keyFormat ? await messageShape(keyFormat, registered.key) : anyShape,
  };
}
