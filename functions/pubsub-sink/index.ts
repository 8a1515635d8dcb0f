import { hostname } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { http } from '@google-cloud/functions-framework';
import { loadDeclaration } from '../../shared/adapters/declaration/load-declaration.ts';
import { installGracefulShutdown } from '../../shared/adapters/http/graceful.ts';
import { openAtRequest } from '../../shared/adapters/http/open-at-request.ts';
import { ownRequests } from '../../shared/adapters/http/own-requests.ts';
import { auditRefusals } from '../../shared/adapters/identity/audit-refusals.ts';
import { doorSettings, doorVerifier } from '../../shared/adapters/identity/door.ts';
import { openIdTokens } from '../../shared/adapters/identity/id-tokens.ts';
import { openSpannerChannel } from '../../shared/adapters/spanner/channel.ts';
import { openEventStore } from '../../shared/adapters/spanner/ingest/event-store.ts';
import { openTelemetry } from '../../shared/adapters/telemetry/open-telemetry.ts';
import { auditAttempts } from '../../shared/base/audit.ts';
import { systemClock } from '../../shared/base/clock.ts';
import { readEnvironment, text } from '../../shared/base/environment.ts';
import { jsonLog } from '../../shared/base/log.ts';
import { openAuthority } from '../../shared/connect/authority.ts';
import { openCredentialSources } from '../../shared/connect/credential-sources.ts';
import { openDeclaredRegistry } from '../../shared/connect/declared-registry.ts';
import { openSecretReports } from '../../shared/connect/report-secret-uses.ts';
import { type PushSteps, pushHandler } from './handler.ts';
import { messageSink } from './sink-message.ts';
import { watchStore } from './watch-store.ts';

// A machine with much memory lets garbage pile up: 510 MB in a burst of 20,000 messages, 250 MB with this.
setFlagsFromString('--optimize-for-size');

const settings = {
  ...doorSettings,
  projectId: text('GOOGLE_CLOUD_PROJECT', 'Set it to the project of the subscriptions'),
  identity: text('PENSTOCK_IDENTITY', 'Set it to the service account’s e-mail', ''),
};

/** Under the 10 s that a subscription waits for an answer unless it says otherwise. */
const STORE_DEADLINE_MS = 8_000;

const log = jsonLog('pubsub-sink');
const refused = auditRefusals('pubsub-sink', log);

async function open() {
  const given = readEnvironment(settings, process.env);
  const { projectId } = given;
  const declaration = await loadDeclaration(process.env);
  const identity = given.identity || (await ownEmail());
  const audited = (action: string) => auditAttempts(log, action, identity);
  const { database } = declaration.spanner;
  const channel = openSpannerChannel(database, process.env, { onAttempt: audited('spanner.connect') });
  const store = openEventStore(channel, { identity: '', owner: '', deadlineMs: STORE_DEADLINE_MS });
  const verify = doorVerifier(given, declaration);
  const telemetry = await openTelemetry(process.env, 'pubsub-sink', log);
  const watched = watchStore(store, { identity, log, telemetry });
  const rotating = new Set(Object.keys(declaration.secrets));
  const reports = openSecretReports({ owner: `${hostname()}/${process.pid}`, rotating, log });
  const { onVersion } = reports;
  const sources = openCredentialSources({ database, log, onAttempt: audited('secret.read'), onVersion });
  reports.start(sources.secrets, channel);
  const schemas =
    declaration.registry && (await openDeclaredRegistry(declaration.registry, sources, audited('registry.read')));
  const authority = await openAuthority(declaration, { door: 'pubsub-sink', log });
  const admit: PushSteps['admit'] = (caller, name) =>
    void authority.require(caller, 'trigger', { type: 'Pipeline', name });
  const steps: PushSteps = { declaration, projectId, verify, admit, sink: messageSink(watched, systemClock, schemas) };
  const close = async (): Promise<void> => {
    await telemetry?.close();
    schemas?.close();
    await reports.stop();
    await sources.close();
    store.close();
  };
  return { steps, close };
}

function ownEmail(): Promise<string> {
  return openIdTokens()
    .email()
    .catch(() => 'unknown');
}

const opened = openAtRequest(open);
const { wrap } = installGracefulShutdown(opened.close);

ownRequests();
http('pubsub-sink', wrap(pushHandler(async () => (await opened.open()).steps, { log, refused })));
