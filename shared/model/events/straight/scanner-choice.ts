import type { RecordFormat } from '../../config/declaration.ts';
import { parseAvroSchema } from '../../formats/avro/parse-avro-schema.ts';
import type { RegisteredSchema, SchemaBook } from '../../formats/schema-book.ts';
import { frameBytes, schemaIdOf } from '../../formats/wire-frame.ts';
import { avroSteps } from './avro-step.ts';
import { AvroWalker } from './avro-walker.ts';
import type { FieldTree } from './field-tree.ts';
import { JsonScanner } from './json-scanner.ts';
import type { RecordScanner } from './record-scanner.ts';

/** The scanner for a record's value; undefined where the general path must look. */
export type ScannerChoice = (value: Buffer) => RecordScanner | undefined;

/**
 * Makes the choice of scanners for a format: one, or one for each schema that a record may name.
 *
 * @returns undefined for a format whose records all take the general path
 */
export function scannerChoice(format: RecordFormat, tree: FieldTree, schemas: SchemaBook): ScannerChoice | undefined {
  switch (format.kind) {
    case 'json': {
      const scanner = new JsonScanner(tree);
      return () => scanner;
    }
    case 'avro': {
      if (format.schema.kind === 'registry') return registeredChoice(tree, schemas);
      const walker = walkerOf({ text: format.schema.text, references: [] }, tree, 0);
      return walker && (() => walker);
    }
    default:
      return undefined;
  }
}

function registeredChoice(tree: FieldTree, schemas: SchemaBook): ScannerChoice {
  // Keyed by the book's own object: what the book forgets is forgotten here too.
  const walkers = new WeakMap<RegisteredSchema, { readonly walker: AvroWalker | undefined }>();
  let last: RegisteredSchema | undefined;
  let lastWalker: AvroWalker | undefined;
  return (value) => {
    const id = schemaIdOf(value);
    const registered = id === undefined ? undefined : schemas.get(id);
    if (registered === undefined || registered === 'absent' || 'unusable' in registered) return undefined;
    if (registered === last) return lastWalker;
    let known = walkers.get(registered);
    if (!known) {
      known = { walker: registered.type === 'AVRO' ? walkerOf(registered, tree, frameBytes) : undefined };
      walkers.set(registered, known);
    }
    last = registered;
    lastWalker = known.walker;
    return lastWalker;
  };
}

function walkerOf(
  { text, references }: Pick<RegisteredSchema, 'text' | 'references'>,
  tree: FieldTree,
  headBytes: number,
): AvroWalker | undefined {
  try {
    const steps = avroSteps(parseAvroSchema({ text, references, connect: false }), tree.root);
    return steps && new AvroWalker(steps, tree.slotCount, headBytes);
  } catch {
    // The general path says what is wrong with the schema.
    return undefined;
  }
}
