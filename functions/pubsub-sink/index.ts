import { http } from '@google-cloud/functions-framework';
import { loadDeclaration } from '../../shared/adapters/declaration/load-declaration.ts';
import { installGracefulShutdown } from '../../shared/adapters/http/graceful.ts';
import { tokenVerifier } from '../../shared/adapters/identity/verify-token.ts';
import { type EventStore, openEventStore } from '../../shared/adapters/spanner/event-store.ts';
import { openDatabase } from '../../shared/adapters/spanner/open-database.ts';
import { list, readEnvironment, text } from '../../shared/base/environment.ts';
import { jsonLog } from '../../shared/base/log.ts';
import { type PushSteps, pushHandler } from './handler.ts';
import { messageSink } from './sink-message.ts';

const settings = {
  issuer: text('PENSTOCK_OIDC_ISSUER', 'Set it to the issuer of the push tokens', 'https://accounts.google.com'),
  audience: text('PENSTOCK_AUDIENCE', 'Set it to this function’s own URL'),
  callers: list('PENSTOCK_CALLERS', 'Name the service accounts that may push'),
  projectId: text('GOOGLE_CLOUD_PROJECT', 'Set it to the project of the subscriptions'),
};

/** Under the 10 s that a subscription waits for an answer unless it says otherwise. */
const STORE_DEADLINE_MS = 8_000;

const log = jsonLog('pubsub-sink');
let opened: Promise<{ readonly steps: PushSteps; readonly store: EventStore }> | undefined;

const { wrap } = installGracefulShutdown(async () => {
  const last = await opened?.catch(() => undefined);
  await last?.store.close();
});

function open(): Promise<PushSteps> {
  opened ??= openSteps().catch((error: unknown) => {
    opened = undefined;
    throw error;
  });
  return opened.then(({ steps }) => steps);
}

async function openSteps() {
  const { issuer, audience, callers, projectId } = readEnvironment(settings, process.env);
  const declaration = await loadDeclaration(process.env);
  const database = openDatabase(declaration.spanner.database);
  const store = openEventStore(database, { identity: '', owner: '', deadlineMs: STORE_DEADLINE_MS });
  const verify = tokenVerifier({ issuer, audiences: [audience], callers });
  return { store, steps: { declaration, projectId, verify, sink: messageSink(store) } };
}

http('pubsub-sink', wrap(pushHandler(open, log)));
