import { http } from '@google-cloud/functions-framework';
import { getRequestListener } from '@hono/node-server';
import { loadDeclaration } from '../../shared/adapters/declaration/load-declaration.ts';
import { installGracefulShutdown } from '../../shared/adapters/http/graceful.ts';
import { messageOf } from '../../shared/base/errors.ts';
import { jsonLog } from '../../shared/base/log.ts';
import { type Dashboard, openDashboard } from './open-dashboard.ts';
import { securityHeaders } from './page/answer.ts';
import { explainTrouble } from './view/trouble.ts';

const log = jsonLog('dashboard');
let opened: Promise<Dashboard> | undefined;

const { wrap } = installGracefulShutdown(async () => {
  const last = await opened?.catch(() => undefined);
  await last?.close();
});

/** Opened by the first request, so that what is missing at start is said in an answer and mended without a restart. */
function open(): Promise<Dashboard> {
  opened ??= loadDeclaration(process.env)
    .then((declaration) => openDashboard(declaration, process.env, { log }))
    .catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
  return opened;
}

const listener = getRequestListener(
  async (request, bindings) => {
    try {
      const { app } = await open();
      return await app.fetch(request, bindings);
    } catch (error) {
      log('ERROR', 'The dashboard cannot open', { error: messageOf(error) });
      // Nobody was let in yet: the caller learns that it is not set up, the log says how to mend it.
      const headers = { ...securityHeaders, 'retry-after': '5', 'content-type': 'text/plain; charset=utf-8' };
      return new Response(`${explainTrouble(error).title}\n`, { status: 503, headers });
    }
  },
  { overrideGlobalObjects: false },
);

http('dashboard', wrap(listener));
