import type { RecordFormat, SchemaSource } from './declaration.ts';

/** True for a pipeline whose records name schemas of a registry. */
export function usesRegistry({
  format,
  keyFormat,
}: {
  readonly format: RecordFormat;
  readonly keyFormat: RecordFormat | undefined;
}): boolean {
  return [format, keyFormat].some((one) => one !== undefined && registryOf(one)?.kind === 'registry');
}

function registryOf(format: RecordFormat): SchemaSource | undefined {
  if (format.kind === 'debezium') return format.encoding === 'avro' ? format.schema : undefined;
  return 'schema' in format ? format.schema : undefined;
}
