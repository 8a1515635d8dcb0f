import { messageOf } from '../../base/errors.ts';
import type { SchemaSource } from '../config/declaration.ts';
import { PoisonError } from '../events/records/poison.ts';
import type { RegisteredSchema, SchemaBook } from './schema-book.ts';
import { framedPart, refuseFrame, schemaIdOf } from './wire-frame.ts';

/** A schema's text with what it refers to; `id` is undefined for one of a file. */
export interface SchemaText {
  readonly id: number | undefined;
  readonly text: string;
  readonly references: RegisteredSchema['references'];
}

/** A record's bytes without their frame, and the schema that they were written by. */
export interface Chosen<T> {
  readonly schema: T;
  readonly body: Buffer;
}

/** Finds the schema of each record, compiled once. */
export interface SchemaChoice<T> {
  /** @throws {PoisonError} class `undecodable` when no schema can read these bytes */
  choose(bytes: Buffer): Chosen<T>;
  missingSchema(bytes: Buffer): number | undefined;
}

/**
 * Makes the choice of schemas: a file's own, or the registered one whose id the record carries.
 *
 * @param type what the registry must say that a schema is
 * @param compile throws for a schema that cannot be used: poison then for each record that was written by it
 * @throws {RangeError} for a file that cannot be used
 */
export function schemaChoice<T>(
  {
    source,
    type,
    schemas,
  }: { readonly source: SchemaSource; readonly type: RegisteredSchema['type']; readonly schemas: SchemaBook },
  compile: (schema: SchemaText) => T,
): SchemaChoice<T> {
  if (source.kind === 'registry') return registeredChoice(type, schemas, compile);
  const schema = compileFile(source, compile);
  return { choose: (body) => ({ schema, body }), missingSchema: () => undefined };
}

function compileFile<T>(
  { file, text }: Extract<SchemaSource, { kind: 'file' }>,
  compile: (schema: SchemaText) => T,
): T {
  try {
    return compile({ id: undefined, text, references: [] });
  } catch (error) {
    throw new RangeError(`Schema ${file}: ${messageOf(error)}`);
  }
}

function registeredChoice<T>(
  type: RegisteredSchema['type'],
  schemas: SchemaBook,
  compile: (schema: SchemaText) => T,
): SchemaChoice<T> {
  // Keyed by the book's own object: what the book forgets is forgotten here too.
  const compiled = new WeakMap<RegisteredSchema, { readonly schema: T } | { readonly reason: string }>();
  const compiledOf = (registered: RegisteredSchema): T => {
    let entry = compiled.get(registered);
    if (!entry) {
      entry = tryCompile(registered, type, compile);
      compiled.set(registered, entry);
    }
    if ('reason' in entry) throw new PoisonError('undecodable', entry.reason);
    return entry.schema;
  };
  return {
    choose(bytes) {
      const id = schemaIdOf(bytes) ?? refuseFrame(bytes);
      const registered = schemas.get(id);
      if (registered === 'absent') throw new PoisonError('undecodable', `The registry has no schema ${id}`);
      if (registered && 'unusable' in registered) {
        throw new PoisonError('undecodable', `Schema ${id} cannot be used: ${registered.unusable}`);
      }
      if (!registered) throw new Error(`Schema ${id} was not loaded before its record was read`);
      return { schema: compiledOf(registered), body: framedPart(bytes) };
    },
    missingSchema(bytes) {
      const id = schemaIdOf(bytes);
      return id !== undefined && schemas.needs(id) ? id : undefined;
    },
  };
}

function tryCompile<T>(
  registered: RegisteredSchema,
  type: RegisteredSchema['type'],
  compile: (schema: SchemaText) => T,
): { readonly schema: T } | { readonly reason: string } {
  const { id } = registered;
  if (registered.type !== type) return { reason: `Schema ${id} is ${registered.type}, and the pipeline reads ${type}` };
  try {
    return { schema: compile(registered) };
  } catch (error) {
    return { reason: `Schema ${id} cannot be used: ${messageOf(error)}` };
  }
}
