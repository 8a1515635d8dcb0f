import { ConfigError, type ConfigProblem, messageOf, PenstockError } from '../../base/errors.ts';
import {
  type EngineQuestion,
  engineQuestion,
  isKnownEntity,
  type Unaskable,
} from '../../model/access/access-entities.ts';
import type { AccessRequest, Decision } from '../../model/access/access-request.ts';
import { accessSchema } from '../../model/access/access-schema.ts';
import type { Declaration, PolicySource } from '../../model/config/declaration.ts';
import type { PolicyMistake, ReadPolicy } from './cedar-engine.ts';

type Cedar = typeof import('./cedar-engine.ts');

/** A policy, and where it stands. */
export interface NamedPolicy {
  /** Of its annotation `@id("…")`, or `file:line`. */
  readonly id: string;
  readonly effect: 'permit' | 'forbid';
  readonly file: string;
  readonly line: number;
}

/** Whether one policy, seen alone, speaks of a request. */
export interface PolicyMatch extends NamedPolicy {
  readonly matches: boolean;
}

/** Policies, ready for questions. */
export interface PolicyEngine {
  readonly policies: readonly NamedPolicy[];
  /** @throws {PolicyUnavailableError} when the engine fails: nothing is permitted then */
  decide(request: AccessRequest, asked: { readonly door: string; readonly nowMs: number }): Decision;
  /** What each policy says by itself. */
  match(request: AccessRequest, asked: { readonly door: string; readonly nowMs: number }): PolicyMatch[];
}

/** The engine could not decide: nothing is permitted. */
export class PolicyUnavailableError extends PenstockError {
  constructor(cause: unknown) {
    super(`No policy could be asked: ${messageOf(cause)}`, {
      code: 'POLICY_UNAVAILABLE',
      remedy: 'Nothing was done; look at the log of this function, and deploy it anew when its files are damaged',
      retryable: true,
      cause,
    });
  }
}

/** At most so many decisions are remembered, for the second that they hold. */
const MAX_REMEMBERED = 1_000;

/**
 * Loads Cedar, once a process, and checks and prepares a declaration's policies.
 *
 * @throws {ConfigError} naming every mistake in every policy, with file and line
 * @throws {PolicyUnavailableError} when Cedar itself cannot be loaded
 */
export async function openPolicyEngine(
  declaration: Declaration,
  load: () => Promise<Cedar> = loadCedar,
): Promise<PolicyEngine> {
  const cedar = await load().catch((cause: unknown) => {
    throw new PolicyUnavailableError(cause);
  });
  const policies = namePolicies(cedar, declaration);
  const texts = Object.fromEntries(policies.map(({ id, policy }) => [id, policy.text]));
  const ask = prepare(cedar, texts);
  const decide = remembering((question) => decideBy(ask, question));
  return {
    policies: policies.map(({ policy, ...named }) => ({ ...named, effect: policy.effect })),
    decide(request, asked) {
      return decide(engineQuestion(declaration, request, asked));
    },
    match(request, asked) {
      const question = engineQuestion(declaration, request, asked);
      return policies.map(({ policy, ...named }) => ({
        ...named,
        effect: policy.effect,
        matches:
          !('unaskable' in question) && prepare(cedar, { [named.id]: policy.text })(question).policies.length > 0,
      }));
    },
  };
}

let loaded: Promise<Cedar> | undefined;

/** Four megabytes of WebAssembly: only those load it who have policies. */
function loadCedar(): Promise<Cedar> {
  loaded ??= import('./cedar-engine.ts');
  loaded.catch(() => {
    loaded = undefined;
  });
  return loaded;
}

function prepare(cedar: Cedar, texts: Readonly<Record<string, string>>): ReturnType<Cedar['prepareEngine']> {
  try {
    return cedar.prepareEngine(texts, accessSchema);
  } catch (cause) {
    throw new PolicyUnavailableError(cause);
  }
}

function decideBy(ask: ReturnType<Cedar['prepareEngine']>, question: EngineQuestion | Unaskable): Decision {
  if ('unaskable' in question) return { allowed: false, policies: [], why: `denied: ${question.unaskable}` };
  let answer: ReturnType<typeof ask>;
  try {
    answer = ask(question);
  } catch (cause) {
    throw new PolicyUnavailableError(cause);
  }
  const { allowed, policies, errors } = answer;
  // Cedar leaves out a policy that cannot be evaluated: were it one that forbids, leaving it out would permit.
  if (errors.length > 0) return { allowed: false, policies: [], why: `denied: ${errors.join('; ')}` };
  if (allowed) return { allowed, policies, why: `permitted by ${policies.join(', ')}` };
  const why = policies.length === 0 ? 'denied: no policy permits it' : `forbidden by ${policies.join(', ')}`;
  return { allowed, policies, why };
}

/** The time that policies see is in whole seconds, so that the same question within one has the same answer. */
function remembering(decide: (question: EngineQuestion | Unaskable) => Decision): typeof decide {
  const known = new Map<string, Decision>();
  let second = '';
  return (question) => {
    if ('unaskable' in question) return decide(question);
    const now = JSON.stringify(question.context.now);
    if (now !== second || known.size >= MAX_REMEMBERED) known.clear();
    second = now;
    const key = JSON.stringify(question);
    const decided = known.get(key) ?? decide(question);
    known.set(key, decided);
    return decided;
  };
}

interface FoundPolicy {
  readonly id: string;
  readonly file: string;
  readonly line: number;
  readonly policy: ReadPolicy;
}

function namePolicies(cedar: Cedar, declaration: Declaration): FoundPolicy[] {
  const problems: ConfigProblem[] = [];
  const found = (declaration.access?.sources ?? []).flatMap((source) => policiesOf(cedar, source, problems));
  const byId = new Map<string, FoundPolicy>();
  for (const one of found) {
    const earlier = byId.get(one.id);
    if (earlier) problems.push(problemAt(one, `has the id of ${earlier.file}:${earlier.line}`, 'Give it another @id'));
    byId.set(one.id, one);
    for (const entity of one.policy.entities) {
      if (isKnownEntity(declaration, entity)) continue;
      const named = `${entity.type}::${JSON.stringify(entity.id)}`;
      const line = one.line + linesBefore(one.policy.text, one.policy.text.indexOf(JSON.stringify(entity.id)));
      problems.push(problemAt({ ...one, line }, `names ${named}, which does not exist`, remedyFor(entity.type)));
    }
  }
  const texts = Object.fromEntries([...byId].map(([id, { policy }]) => [id, policy.text]));
  for (const { id, mistake } of cedar.validatePolicies(texts, accessSchema)) {
    const policy = byId.get(id);
    const line =
      (policy?.line ?? 1) + linesBefore(policy?.policy.text ?? '', charactersOf(policy?.policy.text, mistake.start));
    problems.push(problemAt({ file: policy?.file ?? '', id, line }, mistake.message, remedyOf(mistake)));
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return found;
}

function policiesOf(cedar: Cedar, { file, text }: PolicySource, problems: ConfigProblem[]): FoundPolicy[] {
  const read = cedar.readPolicies(text);
  if ('mistakes' in read) {
    for (const mistake of read.mistakes) {
      const line = 1 + linesBefore(text, charactersOf(text, mistake.start));
      problems.push(problemAt({ file, id: 'policy', line }, mistake.message, remedyOf(mistake)));
    }
    return [];
  }
  let from = 0;
  return [...read.policies]
    .map((policy) => ({ policy, at: text.indexOf(policy.text) }))
    .sort((one, other) => one.at - other.at)
    .map(({ policy }) => {
      // The same words may stand twice in a file.
      const at = Math.max(0, text.indexOf(policy.text, from));
      from = at + policy.text.length;
      const line = 1 + linesBefore(text, at);
      return { id: policy.id ?? `${file}:${line}`, file, line, policy };
    });
}

function problemAt(
  { file, id, line }: { readonly file: string; readonly id: string; readonly line: number },
  message: string,
  remedy: string,
): ConfigProblem {
  return { file, line, path: id, message, remedy };
}

function remedyOf({ help }: PolicyMistake): string {
  if (help === undefined) return 'Correct the policy; docs/policies.md has the schema';
  return `${help.charAt(0).toUpperCase()}${help.slice(1)}`.replace(/\.$/, '');
}

function remedyFor(type: string): string {
  if (type === 'Group') return 'Declare it under access.groups, or write a token’s group as ISSUER#group:NAME';
  if (type === 'Person' || type === 'ServiceAccount') return 'Write the address in lower case, as tokens are read';
  return 'Correct its name, or declare it';
}

function charactersOf(text = '', bytes: number): number {
  return Buffer.from(text).subarray(0, bytes).toString().length;
}

function linesBefore(text: string, at: number): number {
  return text.slice(0, Math.max(0, at)).split('\n').length - 1;
}
