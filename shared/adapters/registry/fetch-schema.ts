import type { RegisteredSchema, UnusableSchema } from '../../model/formats/schema-book.ts';
import { askRegistry, fieldOf, type RegistryAddress } from './ask-registry.ts';
import { RegistryUnavailableError } from './registry-error.ts';

const MAX_SCHEMA_CHARACTERS = 1024 * 1024;
const MAX_REFERENCES = 100;

/**
 * Fetches one schema with all that it refers to.
 *
 * References are listed after those that they need themselves. One that the registry lacks is left out: whoever compiles
 * the schema sees what is missing.
 *
 * Source: docs.confluent.io, Schema Registry API Reference.
 *
 * @throws {RegistryUnavailableError} when the registry cannot be asked, or answers something else
 */
export async function fetchSchema(
  address: RegistryAddress,
  id: number,
): Promise<RegisteredSchema | UnusableSchema | 'absent'> {
  const answer = await askRegistry(address, `/schemas/ids/${id}`);
  if (answer === 'absent') return answer;
  if (answer === 'too large') return tooLarge(id);
  const text = fieldOf(answer, 'schema');
  const type = fieldOf(answer, 'schemaType') ?? 'AVRO';
  if (typeof text !== 'string') {
    throw new RegistryUnavailableError(`/schemas/ids/${id}`, { cause: new Error('Its answer holds no schema') });
  }
  if (type !== 'AVRO' && type !== 'PROTOBUF' && type !== 'JSON') {
    return { id, unusable: `its type ${String(type).slice(0, 80)} is none of AVRO, PROTOBUF, JSON` };
  }
  if (text.length > MAX_SCHEMA_CHARACTERS) return tooLarge(id);
  const gathering: Gathering = { address, found: new Map(), seen: new Set(), characters: text.length };
  const problem = await gather(gathering, answer);
  if (problem !== undefined) return { id, unusable: problem };
  const references = [...gathering.found].map(([name, referenced]) => ({ name, text: referenced }));
  return { id, type, text, references };
}

function tooLarge(id: number): UnusableSchema {
  return { id, unusable: `it has more than ${MAX_SCHEMA_CHARACTERS} characters with its references` };
}

interface Gathering {
  readonly address: RegistryAddress;
  /** By name, in the order in which they can be read. */
  readonly found: Map<string, string>;
  readonly seen: Set<string>;
  characters: number;
}

/** @returns what forbids the use of the whole schema */
async function gather(gathering: Gathering, schema: object): Promise<string | undefined> {
  const { address, found, seen } = gathering;
  const references: unknown = fieldOf(schema, 'references');
  if (!Array.isArray(references)) return undefined;
  for (const reference of references) {
    const name = fieldOf(reference, 'name');
    const subject = fieldOf(reference, 'subject');
    const version = fieldOf(reference, 'version');
    if (typeof name !== 'string' || typeof subject !== 'string' || typeof version !== 'number') continue;
    const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}`;
    const place = `${name} ${path}`;
    if (seen.has(place)) continue;
    seen.add(place);
    if (seen.size > MAX_REFERENCES) return `it has more than ${MAX_REFERENCES} references`;
    const answer = await askRegistry(address, path);
    const text = typeof answer === 'string' ? undefined : fieldOf(answer, 'schema');
    if (answer === 'too large') return tooLarge(0).unusable;
    if (typeof answer === 'string' || typeof text !== 'string') continue;
    gathering.characters += text.length;
    if (gathering.characters > MAX_SCHEMA_CHARACTERS) return tooLarge(0).unusable;
    const problem = await gather(gathering, answer);
    if (problem !== undefined) return problem;
    found.set(name, text);
  }
  return undefined;
}
