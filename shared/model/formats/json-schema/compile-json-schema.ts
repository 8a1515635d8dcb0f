import { Ajv, type AnySchemaObject, type Options, type ValidateFunction } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import draft6 from 'ajv/dist/refs/json-schema-draft-06.json' with { type: 'json' };
import AjvDraft04 from 'ajv-draft-04';
import { parseExactJsonText } from '../../events/values/exact-json.ts';

/** With its references: what is longer takes seconds to become code. */
const MAX_CHARACTERS = 256 * 1024;
/** Calls of one schema by another, for one document: alternatives of alternatives could ask for billions. */
const MIN_STEPS = 20_000;
const STEPS_PER_CHARACTER = 10;
const MAX_SHOWN_ERRORS = 3;
const MAX_SHOWN_CHARACTERS = 400;

/**
 * @param characters how long the document is as text: longer ones may take more steps
 * @returns what a document does wrong; undefined for one that follows its schema
 */
export type CheckDocument = (document: unknown, characters: number) => string | undefined;

const OPTIONS: Options = {
  // What a registry took is in use: unknown keywords say nothing, as the specification has it.
  strict: false,
  // `format` is an annotation: serializers do not agree on it, and columns check what they need.
  validateFormats: false,
  logger: false,
  // A schema of references to references must not become code of their product.
  inlineRefs: false,
};

/**
 * Compiles a JSON Schema of draft 4, 6, 7, 2019-09 or 2020-12; draft 7 unless it says which.
 *
 * The schema becomes code, by `ajv`, whose steps are counted. Its patterns are run as they are.
 *
 * @param references schemas by the names that it refers to
 * @throws {Error} naming what is wrong in the schema, or which reference is missing
 */
export function compileJsonSchema(
  text: string,
  references: readonly { readonly name: string; readonly text: string }[],
): CheckDocument {
  const characters = references.reduce((sum, reference) => sum + reference.text.length, text.length);
  if (characters > MAX_CHARACTERS) throw new RangeError(`It has ${characters} characters, over ${MAX_CHARACTERS}`);
  const schema = parseSchema(text);
  try {
    return compileWith(schema, references, true);
  } catch (error) {
    // Patterns of other languages may have escapes that Unicode's mode refuses.
    if (!(error instanceof SyntaxError)) throw error;
    return compileWith(schema, references, false);
  }
}

type SchemaObject = AnySchemaObject | boolean;

function compileWith(
  schema: SchemaObject,
  references: readonly { readonly name: string; readonly text: string }[],
  unicodeRegExp: boolean,
): CheckDocument {
  const ajv = Object.assign(validatorOf(schema, { ...OPTIONS, code: { process: countSteps }, unicodeRegExp }), {
    // Those who check the schema itself are not counted.
    stepsLeft: Number.POSITIVE_INFINITY,
  });
  // The library compares each item with each: 100,000 of them would take minutes.
  ajv.removeKeyword('uniqueItems');
  ajv.addKeyword({ keyword: 'uniqueItems', type: 'array', schemaType: 'boolean', validate: hasNoDouble });
  const base = typeof schema === 'object' ? (schema.$id ?? schema.id) : undefined;
  for (const { name, text } of references) addReference(ajv, parseSchema(text), name, base);
  return checker(ajv.compile(schema), ajv);
}

/** The head of each function that the library makes; `self` in it is the validator. */
const FUNCTION_HEAD = /function validate\d+\(data, \{.*?\}=\{\}\)\{/g;

function countSteps(code: string): string {
  let count = 0;
  const counted = code.replaceAll(FUNCTION_HEAD, (head) => {
    count++;
    return `${head}if(--self.stepsLeft<0)throw new RangeError("it takes too many steps to check");`;
  });
  if (count === 0) throw new Error('The schema’s code has another shape than is known: its steps cannot be counted');
  return counted;
}

/** By its own name, by the name that it is referred to, and by that name as the referring schema's address resolves it. */
function addReference(ajv: Ajv, schema: SchemaObject, name: string, base: unknown): void {
  if (!ajv.getSchema(name)) ajv.addSchema(schema, name);
  if (typeof base !== 'string' || !URL.canParse(name, base)) return;
  const resolved = new URL(name, base).href;
  if (resolved === name || ajv.getSchema(resolved)) return;
  const { $id: _, id: __, ...anonymous } = typeof schema === 'object' ? schema : { allOf: [schema] };
  ajv.addSchema(anonymous, resolved);
}

function validatorOf(schema: SchemaObject, options: Options): Ajv {
  const draft = typeof schema === 'object' ? schema.$schema : undefined;
  const name = typeof draft === 'string' ? draft.replace(/^https?:\/\/json-schema\.org\//, '').replace(/#$/, '') : '';
  switch (name) {
    case '':
    case 'schema':
    case 'draft-07/schema':
      return new Ajv(options);
    case 'draft-06/schema': {
      const ajv = new Ajv(options);
      ajv.addMetaSchema(draft6);
      return ajv;
    }
    case 'draft-04/schema':
      return new AjvDraft04.default(options);
    case 'draft/2019-09/schema':
      return new Ajv2019(options);
    case 'draft/2020-12/schema':
      return new Ajv2020(options);
    default:
      throw new RangeError(`Its draft ${String(draft).slice(0, 100)} is none of 4, 6, 7, 2019-09, 2020-12`);
  }
}

function parseSchema(text: string): SchemaObject {
  // Only the shape is looked at here: numbers need not be exact.
  const parsed: unknown = JSON.parse(JSON.stringify(parseExactJsonText(text)));
  if (typeof parsed === 'boolean') return parsed;
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new RangeError('It is neither an object nor true or false');
  }
  if ('$async' in parsed) throw new RangeError('It is asynchronous, which records cannot wait for');
  return { ...parsed };
}

function checker(validate: ValidateFunction, counter: { stepsLeft: number }): CheckDocument {
  return (document, characters) => {
    counter.stepsLeft = MIN_STEPS + STEPS_PER_CHARACTER * characters;
    try {
      if (validate(document)) return undefined;
    } catch (error) {
      // Too many steps, or a document that is deeper than the stack.
      if (error instanceof RangeError) return error.message;
      throw error;
    }
    const shown = (validate.errors ?? [])
      .slice(0, MAX_SHOWN_ERRORS)
      .map(({ instancePath, message }) => `${instancePath || 'it'} ${message}`);
    return shown.join('; ').slice(0, MAX_SHOWN_CHARACTERS).toWellFormed();
  };
}

function hasNoDouble(wanted: boolean, items: readonly unknown[]): boolean {
  return !wanted || new Set(items.map(canonicalText)).size === items.length;
}

/** Equal exactly for values that JSON Schema holds for equal: the order of names does not count. */
function canonicalText(value: unknown): string {
  return JSON.stringify(value, (_name, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
