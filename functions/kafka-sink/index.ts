import { http } from '@google-cloud/functions-framework';
import { loadDeclaration } from '../../shared/adapters/declaration/load-declaration.ts';
import { installGracefulShutdown } from '../../shared/adapters/http/graceful.ts';
import { openAtRequest } from '../../shared/adapters/http/open-at-request.ts';
import { ownRequests } from '../../shared/adapters/http/own-requests.ts';
import { auditRefusals } from '../../shared/adapters/identity/audit-refusals.ts';
import { doorSettings, doorVerifier } from '../../shared/adapters/identity/door.ts';
import { openIdTokens } from '../../shared/adapters/identity/id-tokens.ts';
import { openTelemetry } from '../../shared/adapters/telemetry/open-telemetry.ts';
import { list, readEnvironment, text, wholeNumber } from '../../shared/base/environment.ts';
import { jsonLog } from '../../shared/base/log.ts';
import { openAuthority } from '../../shared/connect/authority.ts';
import { type DrainSteps, drainHandler } from './handler.ts';
import { runKafkaSink } from './run-kafka-sink.ts';

const MAX_DRAIN_MS = 3_500_000;

const settings = {
  ...doorSettings,
  pipelines: list('PENSTOCK_PIPELINE', 'Name pipelines, separated by commas, or unset it for all'),
  identity: text('PENSTOCK_IDENTITY', 'Set it to the service account’s e-mail', ''),
  deadlineMs: wholeNumber('PENSTOCK_DRAIN_MS', { min: 1_000, max: MAX_DRAIN_MS, fallback: 540_000 }),
};

const log = jsonLog('kafka-sink');
const refused = auditRefusals('kafka-sink', log);

async function open() {
  const given = readEnvironment(settings, process.env);
  const { pipelines, identity, deadlineMs } = given;
  const declaration = await loadDeclaration(process.env);
  const email =
    identity ||
    (await openIdTokens()
      .email()
      .catch(() => 'unknown'));
  const authority = await openAuthority(declaration, { door: 'kafka-sink', log });
  const telemetry = await openTelemetry(process.env, 'kafka-sink', log);
  const steps: DrainSteps = {
    deadlineMs,
    verify: doorVerifier(given, declaration),
    admit: (caller) => void authority.require(caller, 'trigger', { type: 'Function', name: 'kafka-sink' }),
    run: (options) => runKafkaSink({ ...options, declaration, pipelines, log, identity: email, telemetry }),
  };
  // A drain opens and closes everything else that it needs itself.
  return { steps, close: async () => await telemetry?.close() };
}

const opened = openAtRequest(open);
const { signal, wrap } = installGracefulShutdown(opened.close);
const handle = drainHandler(async () => (await opened.open()).steps, { log, refused, ending: signal });

ownRequests();

http('kafka-sink', wrap(handle));
