import { readdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import {
  openPolicyEngine,
  type PolicyEngine,
  type PolicyMatch,
} from '../../../shared/adapters/policy/policy-engine.ts';
import { ConfigError } from '../../../shared/base/errors.ts';
import {
  type AccessRequest,
  actionResources,
  isAction,
  plainCircumstances,
  readResource,
  writeResource,
} from '../../../shared/model/access/access-request.ts';
import { type AccessTest, readAccessTests } from '../../../shared/model/access/access-tests.ts';
import type { Asker } from '../../../shared/model/access/asker.ts';
import { type Answer, answerOf } from '../../../shared/model/access/explain-access.ts';
import type { Output } from '../output.ts';
import { readConfig } from '../read-config.ts';

const GOOGLE = 'https://accounts.google.com';
const SERVICE_ACCOUNT = /\.gserviceaccount\.com$/i;

/** What `penstock access explain` takes. */
export interface ExplainOptions {
  readonly config: string;
  readonly who: string;
  readonly action: string;
  readonly what: string;
  readonly issuer?: string | undefined;
  readonly group?: readonly string[] | undefined;
  readonly feed?: string | undefined;
  readonly approved?: boolean | undefined;
  readonly all?: boolean | undefined;
  readonly back?: boolean | undefined;
  readonly sensitive?: boolean | undefined;
  readonly door?: string | undefined;
  /** RFC 3339; now when left out. */
  readonly at?: string | undefined;
}

/** Says who may do what, and which policies decided; exit code 1 when it is not permitted. */
export async function explainAccess(options: ExplainOptions, output: Output): Promise<void> {
  const { engine } = await openDeclared(options.config);
  const request = requestOf(options);
  const asked = { door: options.door ?? 'penstock', nowMs: timeOf(options.at) };
  const { answer, decision } = answerOf(request, (one) => engine.decide(one, asked));
  const policies = engine.match(request, asked);
  const result = { who: request.asker.name, action: request.action, what: writeResource(request.resource), answer };
  output.result(
    { ...result, why: decision.why, decidedBy: decision.policies, policies },
    [`${answer}: ${decision.why}`, ...policies.map((policy) => wordMatch(policy, decision.policies))].join('\n'),
  );
  if (answer !== 'allow') process.exitCode = 1;
}

/** Runs the policies' own examples; exit code 1 when one does not come out as it says. */
export async function testAccess(options: { readonly config: string }, output: Output): Promise<void> {
  const { engine, policies } = await openDeclared(options.config);
  const folder = resolve(dirname(options.config), policies);
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.test.yaml'))
    .sort();
  if (files.length === 0) {
    const remedy = 'Write examples of what the policies are meant to say, as docs/policies.md shows';
    throw new ConfigError([{ path: folder, message: 'holds no .test.yaml file', remedy }]);
  }
  const tests = files.flatMap((name) =>
    readAccessTests(`${policies}/${name}`, readFileSync(resolve(folder, name), 'utf8')),
  );
  let failedCount = 0;
  for (const test of tests) {
    const outcome = runTest(test, engine);
    if (!outcome.ok) failedCount += 1;
    output.result({ ...test, ...outcome }, wordTest(test, outcome));
  }
  output.progress(
    failedCount === 0 ? `${tests.length} examples hold.` : `${failedCount} of ${tests.length} examples do not hold.`,
  );
  if (failedCount > 0) process.exitCode = 1;
}

interface TestOutcome {
  readonly ok: boolean;
  readonly answer: Answer;
  readonly why: string;
}

function runTest(test: AccessTest, engine: PolicyEngine): TestOutcome {
  const asked = { door: test.door ?? 'penstock', nowMs: timeOf(test.at) };
  const { answer, decision } = answerOf(requestOf({ ...test, group: test.groups }), (one) => engine.decide(one, asked));
  const isBy = test.by === undefined || decision.policies.includes(test.by);
  return { ok: answer === test.expect && isBy, answer, why: decision.why };
}

async function openDeclared(config: string): Promise<{ readonly engine: PolicyEngine; readonly policies: string }> {
  const { declaration } = await readConfig(config, [], 'refuse');
  const policies = declaration.access?.policies;
  if (policies !== undefined) return { engine: await openPolicyEngine(declaration), policies };
  const remedy = 'Add `access: { policies: ./policies }`';
  throw new ConfigError([{ file: config, path: 'access.policies', message: 'is not declared', remedy }]);
}

function requestOf(options: Omit<ExplainOptions, 'config'>): AccessRequest {
  const { who, action, what, issuer = GOOGLE, group = [], approved, all, back, sensitive, feed } = options;
  const resource = readResource(what);
  const problems = [
    ...(isAction(action)
      ? []
      : [
          {
            path: 'ACTION',
            message: `is ${JSON.stringify(action)}`,
            remedy: `Use one of ${Object.keys(actionResources).join(', ')}`,
          },
        ]),
    ...(resource
      ? []
      : [
          {
            path: 'WHAT',
            message: `is ${JSON.stringify(what)}`,
            remedy: 'Write Feed/NAME, Pipeline/NAME, Secret/NAME, Function/NAME, Database/NAME or Column/TABLE.COLUMN',
          },
        ]),
  ];
  if (!isAction(action) || !resource) throw new ConfigError(problems);
  const kind = SERVICE_ACCOUNT.test(who) ? 'service' : 'person';
  const asker: Asker = { name: who, issuer, groups: group, kind };
  const about = {
    approved: approved ?? false,
    all: all ?? false,
    back: back ?? false,
    sensitive: sensitive ?? false,
    feed,
  };
  return { asker, action, resource, circumstances: { ...plainCircumstances, ...about } };
}

function timeOf(at: string | undefined): number {
  const time = at === undefined ? Date.now() : Date.parse(at);
  if (Number.isFinite(time)) return time;
  throw new ConfigError([{ path: 'at', message: `is ${JSON.stringify(at)}`, remedy: 'Write a time in RFC 3339' }]);
}

function wordMatch({ id, effect, file, line, matches }: PolicyMatch, decidedBy: readonly string[]): string {
  const says = matches
    ? decidedBy.includes(id)
      ? `${effect}s it, and decided`
      : `${effect}s it`
    : 'says nothing about it';
  return `  ${id} (${file}:${line}) ${says}`;
}

function wordTest({ file, name, expect, by }: AccessTest, { ok, answer, why }: TestOutcome): string {
  if (ok) return `holds  ${name}`;
  const wanted = by === undefined ? expect : `${expect} by ${by}`;
  return `FAILS  ${name} (${file}): expected ${wanted}, and it is ${answer}: ${why}`;
}
