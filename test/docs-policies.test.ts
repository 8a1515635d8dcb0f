import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { openPolicyEngine } from '../shared/adapters/policy/policy-engine.ts';
import { plainCircumstances, readResource } from '../shared/model/access/access-request.ts';
import { readAccessTests } from '../shared/model/access/access-tests.ts';
import { answerOf } from '../shared/model/access/explain-access.ts';
import { readDeclaration } from '../shared/model/config/read-declaration.ts';

const page = readFileSync(new URL('../docs/policies.md', import.meta.url), 'utf8');
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(([, block = '']) => block);

test('the policies of docs/policies.md hold against its declaration, and say what its examples say', async () => {
  const [cedar = ''] = blocks('cedar');
  const [yaml = ''] = blocks('yaml');
  const text = `${yaml}\npipelines: { flights: { source: { pubsub: { subscription: s } }, format: json, table: Flights, mode: upsert } }\n`;
  const { declaration } = readDeclaration({
    file: 'docs/policies.md',
    text,
    env: {},
    sections: [],
    readBeside: () => cedar,
    listBeside: () => ['page.cedar'],
  });
  const engine = await openPolicyEngine(declaration);
  const tests = readAccessTests('docs/policies.md', blocks('yml')[0] ?? '');
  assert.ok(tests.length >= 3);
  for (const { name, who, issuer = 'https://accounts.google.com', action, what, all = false, expect, by } of tests) {
    const resource = readResource(what);
    assert.ok(resource && (action === 'redrive' || action === 'view'));
    const asker = { name: who, issuer, groups: [], kind: 'person' as const };
    const request = { asker, action, resource, circumstances: { ...plainCircumstances, all } } as const;
    const { answer, decision } = answerOf(request, (one) => engine.decide(one, { door: 'penstock', nowMs: 0 }));
    assert.equal(answer, expect, name);
    if (by !== undefined) assert.deepEqual(decision.policies, [by], name);
  }
});
