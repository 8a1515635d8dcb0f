import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { type IdentityServer, openIdentityServer } from '../../../../deploy/local/identity/server.ts';
import { loginAccess } from '../../../../functions/dashboard/access.ts';
import { loadAssets } from '../../../../functions/dashboard/assets.ts';
import { dashboardApp } from '../../../../functions/dashboard/handler.ts';
import { openLogin } from '../../../../functions/dashboard/login/open-login.ts';
import { viewOverview } from '../../../../functions/dashboard/view/overview.ts';
import { auditRefusals } from '../../../../shared/adapters/identity/audit-refusals.ts';
import { doorVerifier } from '../../../../shared/adapters/identity/door.ts';
import { jsonLog, noLog } from '../../../../shared/base/log.ts';
import { exampleDeclaration, kafka } from '../example-declaration.ts';
import { kafkaSource, sourcesOf } from '../example-sources.ts';

/** A page that people must sign in to, and the laptop's issuer that they sign in at. */
export interface LoginStage {
  readonly url: string;
  readonly identity: IdentityServer;
  /** The audit lines of who was not let in. */
  readonly refusals: readonly Readonly<Record<string, unknown>>[];
  /** Moves the page's clock on. */
  later(ms: number): void;
  close(): Promise<void>;
}

/** Ada may come in by name, viewers by their group; Grace may not. */
export async function serveLogin(): Promise<LoginStage> {
  const identity = await openIdentityServer();
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port');
  const url = `http://127.0.0.1:${address.port}`;
  let ahead = 0;
  const declaration = exampleDeclaration({ flights: kafka('flights') });
  const callers = ['ada@example.com', `${identity.issuer}#group:viewers`];
  const door = { issuers: [identity.issuer], audience: url, callers };
  const tools = { log: noLog, clock: () => Date.now() + ahead };
  const login = await openLogin(declaration, { PENSTOCK_LOGIN_CLIENT: 'penstock-page' }, door, tools);
  const shown = viewOverview(
    sourcesOf(declaration, {
      pipelines: new Map([['flights', kafkaSource([{ commits: [[0, 40]] }], { deadLetters: [] })]]),
    }),
  );
  const refusals: Record<string, unknown>[] = [];
  const log = jsonLog('dashboard', (line) => refusals.push(JSON.parse(line)));
  const source = new EventEmitter();
  const app = dashboardApp({
    access: loginAccess(login.sessions, doorVerifier(door, declaration)),
    login,
    admit: () => undefined,
    assets: loadAssets(),
    base: '',
    refused: {
      page: auditRefusals('dashboard', log, { source }),
      login: auditRefusals('dashboard/login', log, { source }),
    },
    log: noLog,
    overview: async () => shown,
    epoch: async () => undefined,
    approval: async () => undefined,
    mayDecide: () => false,
    decide: async () => assert.fail('nobody decides here'),
  });
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  server.on('request', (request, response) => void listener(request, response));
  return {
    url,
    identity,
    refusals,
    later(ms) {
      ahead += ms;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await login.close();
      await identity.close();
    },
  };
}
