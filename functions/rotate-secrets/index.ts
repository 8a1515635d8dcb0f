import { http } from '@google-cloud/functions-framework';
import { loadDeclaration } from '../../shared/adapters/declaration/load-declaration.ts';
import { installGracefulShutdown } from '../../shared/adapters/http/graceful.ts';
import { openAtRequest } from '../../shared/adapters/http/open-at-request.ts';
import { ownRequests } from '../../shared/adapters/http/own-requests.ts';
import { auditRefusals } from '../../shared/adapters/identity/audit-refusals.ts';
import { doorSettings, doorVerifier } from '../../shared/adapters/identity/door.ts';
import { openIdTokens } from '../../shared/adapters/identity/id-tokens.ts';
import { subscriptionPath } from '../../shared/adapters/pubsub/push-subscription.ts';
import { openTelemetry } from '../../shared/adapters/telemetry/open-telemetry.ts';
import { readEnvironment, text, wholeNumber } from '../../shared/base/environment.ts';
import { jsonLog } from '../../shared/base/log.ts';
import { openAuthority } from '../../shared/connect/authority.ts';
import { type RotateDoor, rotateHandler } from './handler.ts';
import { openRotator } from './open-rotator.ts';

const settings = {
  ...doorSettings,
  identity: text('PENSTOCK_IDENTITY', 'Set it to this function’s service account', 'ask'),
  subscription: text('PENSTOCK_ROTATION_SUBSCRIPTION', 'Set it to the push subscription', 'penstock-rotations'),
  project: text('GOOGLE_CLOUD_PROJECT', 'Set it to the project’s id'),
  leaseMs: wholeNumber('PENSTOCK_ROTATION_LEASE_MS', { min: 1_000, max: 3_600_000, fallback: 60_000 }),
};

const log = jsonLog('rotate-secrets');
const refused = auditRefusals('rotate-secrets', log);

async function open() {
  const given = readEnvironment(settings, process.env);
  const declaration = await loadDeclaration(process.env);
  const identity = given.identity === 'ask' ? await openIdTokens().email() : given.identity;
  const telemetry = await openTelemetry(process.env, 'rotate-secrets', log);
  const rotator = openRotator({ declaration, log, identity, leaseMs: given.leaseMs, meter: telemetry?.secret });
  const authority = await openAuthority(declaration, { door: 'rotate-secrets', log });
  const door: RotateDoor = {
    verify: doorVerifier(given, declaration),
    decide: (caller, name) => authority.decide(caller, 'rotate', { type: 'Secret', name }),
    require: (caller, name) => void authority.require(caller, 'rotate', { type: 'Secret', name }),
    reading: {
      subscription: subscriptionPath(given.subscription, given.project),
      isDeclared: (secret) => Object.hasOwn(declaration.secrets, secret),
    },
    rotator,
    flush: async () => await telemetry?.flush(),
  };
  return { door, close: () => Promise.all([rotator.close(), telemetry?.close()]) };
}

const opened = openAtRequest(open);
const graceful = installGracefulShutdown(opened.close);
const handle = rotateHandler(async () => (await opened.open()).door, { log, refused });

ownRequests();
http('rotate-secrets', graceful.wrap(handle));
