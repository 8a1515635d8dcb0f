import { http } from '@google-cloud/functions-framework';
import { getRequestListener } from '@hono/node-server';
import { loadDeclaration } from '../../shared/adapters/declaration/load-declaration.ts';
import { messageOf } from '../../shared/base/errors.ts';
import { jsonLog } from '../../shared/base/log.ts';
import { type Dashboard, openDashboard } from './open-dashboard.ts';
import { explainTrouble } from './trouble.ts';

const log = jsonLog('dashboard');
let dashboard: Promise<Dashboard> | undefined;

/** Opened by the first request, so that what is missing at start is said in an answer and mended without a restart. */
function open(): Promise<Dashboard> {
  dashboard ??= loadDeclaration(process.env)
    .then((declaration) => openDashboard(declaration, process.env, { log }))
    .catch((error: unknown) => {
      dashboard = undefined;
      throw error;
    });
  return dashboard;
}

const listener = getRequestListener(
  async (request, bindings) => {
    try {
      const { app } = await open();
      return await app.fetch(request, bindings);
    } catch (error) {
      log('ERROR', 'The dashboard cannot open', { error: messageOf(error) });
      // Nobody was let in yet: the reader learns that it is not set up, the log says how to mend it.
      const { title } = explainTrouble(error);
      return new Response(`${title}\n`, { status: 503, headers: { 'retry-after': '5', 'content-type': 'text/plain' } });
    }
  },
  { overrideGlobalObjects: false },
);

http('dashboard', (request, response) => listener(request, response));
