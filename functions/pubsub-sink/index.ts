import { setFlagsFromString } from 'node:v8';
import { http } from '@google-cloud/functions-framework';
import { loadDeclaration } from '../../shared/adapters/declaration/load-declaration.ts';
import { installGracefulShutdown } from '../../shared/adapters/http/graceful.ts';
import { openAtRequest } from '../../shared/adapters/http/open-at-request.ts';
import { ownRequests } from '../../shared/adapters/http/own-requests.ts';
import { tokenVerifier } from '../../shared/adapters/identity/verify-token.ts';
import { openSpannerChannel } from '../../shared/adapters/spanner/channel.ts';
import { openEventStore } from '../../shared/adapters/spanner/ingest/event-store.ts';
import { readEnvironment, someOf, text } from '../../shared/base/environment.ts';
import { jsonLog } from '../../shared/base/log.ts';
import { type PushSteps, pushHandler } from './handler.ts';
import { messageSink } from './sink-message.ts';

// A machine with much memory lets garbage pile up: 510 MB in a burst of 20,000 messages, 250 MB with this.
setFlagsFromString('--optimize-for-size');

const settings = {
  issuer: text('PENSTOCK_OIDC_ISSUER', 'Set it to the issuer of the push tokens', 'https://accounts.google.com'),
  audience: text('PENSTOCK_AUDIENCE', 'Set it to this function’s own URL'),
  callers: someOf('PENSTOCK_CALLERS', 'Name the service accounts that may push'),
  projectId: text('GOOGLE_CLOUD_PROJECT', 'Set it to the project of the subscriptions'),
};

/** Under the 10 s that a subscription waits for an answer unless it says otherwise. */
const STORE_DEADLINE_MS = 8_000;

async function open() {
  const { issuer, audience, callers, projectId } = readEnvironment(settings, process.env);
  const declaration = await loadDeclaration(process.env);
  const channel = openSpannerChannel(declaration.spanner.database, process.env);
  const store = openEventStore(channel, { identity: '', owner: '', deadlineMs: STORE_DEADLINE_MS });
  const verify = tokenVerifier({ issuer, audiences: [audience], callers });
  const steps: PushSteps = { declaration, projectId, verify, sink: messageSink(store) };
  return { steps, close: () => store.close() };
}

const opened = openAtRequest(open);
const { wrap } = installGracefulShutdown(opened.close);

ownRequests();
http('pubsub-sink', wrap(pushHandler(async () => (await opened.open()).steps, jsonLog('pubsub-sink'))));
