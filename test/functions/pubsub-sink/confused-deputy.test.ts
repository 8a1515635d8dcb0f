import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ForbiddenPusherError } from '../../../functions/pubsub-sink/forbidden-pusher.ts';
import { pipelinesOf } from '../../../functions/pubsub-sink/pipelines-of.ts';
import { ForbiddenSubscriptionError } from '../../../shared/adapters/pubsub/push-subscription.ts';
import { readDeclaration } from '../../../shared/model/config/read-declaration.ts';

const account = (name: string): string => `${name}@p.iam.gserviceaccount.com`;
const pipeline = (subscription: string, pusher: string): string => `
    source: { pubsub: { subscription: ${subscription}, pushedBy: ${account(pusher)} } }
    format: json
    table: T
    mode: upsert
    columns: { Id: { field: id } }
`;
const { declaration } = readDeclaration({
  file: 'penstock.yaml',
  text: `
spanner: { database: projects/p/instances/i/databases/d }
pipelines:
  orders:${pipeline('orders', 'push-orders')}
  returns:${pipeline('returns', 'push-returns')}
  audit:${pipeline('orders', 'push-orders')}`,
  env: {},
  sections: [],
});

function fed(subscription: string, pusher: string): string[] {
  const email = account(pusher);
  const push = { subscription, projectId: 'p', pusher: { email, name: email, issuer: 'test', subject: pusher } };
  return pipelinesOf(declaration, push).map(({ name }) => name);
}

test('pipelinesOf() takes a subscription’s pushes from the account that its pipeline names', () => {
  assert.deepEqual(fed('projects/p/subscriptions/orders', 'push-orders'), ['orders', 'audit']);
  assert.deepEqual(fed('projects/p/subscriptions/returns', 'push-returns'), ['returns']);
});

test('pipelinesOf() refuses another pipeline’s subscription that posts an envelope of this one', () => {
  assert.throws(() => fed('projects/p/subscriptions/orders', 'push-returns'), ForbiddenPusherError);
});

test('pipelinesOf() refuses a subscription of the same name in another project', () => {
  assert.throws(() => fed('projects/evil/subscriptions/orders', 'push-orders'), ForbiddenSubscriptionError);
});
