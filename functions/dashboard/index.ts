import { http } from '@google-cloud/functions-framework';
import { getRequestListener } from '@hono/node-server';
import { loadDeclaration } from '../../shared/adapters/declaration/load-declaration.ts';
import { installGracefulShutdown } from '../../shared/adapters/http/graceful.ts';
import { openAtRequest } from '../../shared/adapters/http/open-at-request.ts';
import { ownRequests } from '../../shared/adapters/http/own-requests.ts';
import { problemBody, problemHeaders, problemOf } from '../../shared/adapters/http/problem.ts';
import { auditRefusals } from '../../shared/adapters/identity/audit-refusals.ts';
import { messageOf } from '../../shared/base/errors.ts';
import { jsonLog } from '../../shared/base/log.ts';
import { openAuthority } from '../../shared/connect/authority.ts';
import { openDashboard } from './open-dashboard.ts';
import { securityHeaders } from './page/answer.ts';

const log = jsonLog('dashboard');
const refused = { page: auditRefusals('dashboard', log), login: auditRefusals('dashboard/login', log) };
const opened = openAtRequest(async () => {
  const declaration = await loadDeclaration(process.env);
  const authority = await openAuthority(declaration, { door: 'dashboard', log });
  return openDashboard(declaration, process.env, { log, refused, authority });
});
const { wrap } = installGracefulShutdown(opened.close);

const listener = getRequestListener(
  async (request, bindings) => {
    try {
      const { app } = await opened.open();
      return await app.fetch(request, bindings);
    } catch (error) {
      log('ERROR', 'The dashboard cannot open', { error: messageOf(error) });
      const problem = problemOf(error);
      const headers = { ...securityHeaders, ...problemHeaders(problem) };
      return new Response(problemBody(problem), { status: problem.status, headers });
    }
  },
  { overrideGlobalObjects: false },
);

ownRequests();
http('dashboard', wrap(listener));
