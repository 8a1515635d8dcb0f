import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import type { EngineQuestion } from '../../model/access/access-entities.ts';
import type { EntityId } from '../../model/access/cedar-entity.ts';

/** A mistake in a policy's text; `start` counts bytes of UTF-8 from the beginning of what was given. */
export interface PolicyMistake {
  readonly message: string;
  readonly start: number;
  /** The engine's own advice; undefined when it has none. */
  readonly help: string | undefined;
}

/** What the engine says of one policy's text. */
export interface ReadPolicy {
  readonly text: string;
  readonly effect: 'permit' | 'forbid';
  /** Of the annotation `@id("…")`. */
  readonly id: string | undefined;
  /** Every entity that it names. */
  readonly entities: readonly EntityId[];
}

/** The engine's answer to one question. */
export interface EngineAnswer {
  readonly allowed: boolean;
  readonly policies: readonly string[];
  /** Policies that could not be evaluated, with why. */
  readonly errors: readonly string[];
}

/** Cuts a file into its policies, in the order of the file. */
export function readPolicies(text: string): { policies: ReadPolicy[] } | { mistakes: PolicyMistake[] } {
  const answer = cedar.policySetTextToParts(text);
  if (answer.type === 'failure') return { mistakes: answer.errors.map(mistakeOf) };
  const [template] = answer.policy_templates;
  if (template !== undefined) {
    const start = Buffer.byteLength(text.slice(0, Math.max(0, text.indexOf(template))));
    return { mistakes: [{ message: 'a template is not a policy', start, help: 'Write it out for each principal' }] };
  }
  return { policies: answer.policies.map(readPolicy) };
}

/** Checks policies against a schema; each mistake is of the policy with that id. */
export function validatePolicies(
  policies: Readonly<Record<string, string>>,
  schema: string,
): { readonly id: string; readonly mistake: PolicyMistake }[] {
  const answer = cedar.validate({
    validationSettings: { mode: 'strict' },
    schema,
    policies: { staticPolicies: { ...policies } },
  });
  if (answer.type === 'failure') {
    return answer.errors.map((error) => ({ id: Object.keys(policies)[0] ?? '', mistake: mistakeOf(error) }));
  }
  const seen = new Set(answer.validationErrors.map(({ policyId }) => policyId));
  // A policy that can never apply is a mistake of its writer, who believes that it protects or permits something.
  const impossible = answer.validationWarnings.filter(({ policyId }) => !seen.has(policyId));
  return [...answer.validationErrors, ...impossible].map(({ policyId, error }) => ({
    id: policyId,
    mistake: mistakeOf(error),
  }));
}

let preparedCount = 0;

/**
 * Prepares policies for questions.
 *
 * @throws {Error} when they, or the schema, do not parse
 */
export function prepareEngine(
  policies: Readonly<Record<string, string>>,
  schema: string,
): (question: EngineQuestion) => EngineAnswer {
  preparedCount += 1;
  const name = `penstock-${preparedCount}`;
  for (const answer of [
    cedar.preparseSchema(name, schema),
    cedar.preparsePolicySet(name, { staticPolicies: { ...policies } }),
  ]) {
    if (answer.type === 'failure') throw new Error(answer.errors.map(({ message }) => message).join('; '));
  }
  return (question) => {
    const answer = cedar.statefulIsAuthorized({
      ...mutable(question),
      preparsedSchemaName: name,
      preparsedPolicySetId: name,
      validateRequest: true,
    });
    if (answer.type === 'failure') throw new Error(answer.errors.map(({ message }) => message).join('; '));
    const { decision, diagnostics } = answer.response;
    return {
      allowed: decision === 'allow',
      policies: [...diagnostics.reason].sort(),
      errors: diagnostics.errors.map(({ policyId, error }) => `${policyId}: ${error.message}`),
    };
  };
}

type Call = Parameters<typeof cedar.statefulIsAuthorized>[0];

/** Its types ask for arrays that may be written to; it writes to none. */
function mutable({
  principal,
  action,
  resource,
  context,
  entities,
}: EngineQuestion): Pick<Call, 'principal' | 'action' | 'resource' | 'context' | 'entities'> {
  return structuredClone({ principal, action, resource, context, entities }) as Pick<
    Call,
    'principal' | 'action' | 'resource' | 'context' | 'entities'
  >;
}

function readPolicy(text: string): ReadPolicy {
  const answer = cedar.policyToJson(text);
  if (answer.type === 'failure') throw new Error(`Cedar cannot read what it has cut itself: ${text}`);
  const { effect, annotations, ...rest } = answer.json;
  return { text, effect, id: annotations?.id, entities: [...entitiesIn(rest)] };
}

function* entitiesIn(value: unknown): Generator<EntityId> {
  if (typeof value !== 'object' || value === null) return;
  if ('type' in value && 'id' in value && typeof value.type === 'string' && typeof value.id === 'string') {
    yield { type: value.type, id: value.id };
    return;
  }
  for (const inner of Object.values(value)) yield* entitiesIn(inner);
}

function mistakeOf({ message, help, sourceLocations }: cedar.DetailedError): PolicyMistake {
  const [place] = sourceLocations ?? [];
  const expected = place?.label ? `: ${place.label}` : '';
  return { message: `${message}${expected}`, start: place?.start ?? 0, help: help ?? undefined };
}
