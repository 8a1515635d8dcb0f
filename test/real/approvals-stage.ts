import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { getRequestListener } from '@hono/node-server';
import type { Page } from 'playwright-core';
import { readConfig } from '../../deploy/cli/read-config.ts';
import { openIdentityServer } from '../../deploy/local/identity/server.ts';
import { openDashboard } from '../../functions/dashboard/open-dashboard.ts';
import { noLog } from '../../shared/base/log.ts';
import { openAuthority } from '../../shared/connect/authority.ts';
import { makeAuthority } from '../deploy/local/kafka/certificates.ts';
import { openSecretServer, PROJECT } from '../shared/adapters/secrets/secret-server.ts';
import {
  type Letters,
  lettersDeclaration,
  openLetters,
  order,
} from '../shared/adapters/spanner/ingest/letters-fixture.ts';

const launch = resolve(import.meta.dirname, '../../deploy/cli/launch.js');

const POLICIES = `permit (principal in Group::"operators", action, resource);
permit (principal == Person::"eve@example.com", action == Action::"view", resource);
@id("second-person") forbid (principal, action == Action::"redrive", resource) when { context.all } unless { context.approved };`;

const ACCESS = `
access:
  policies: ./policies
  groups: { operators: [ada@example.com, grace@example.com] }
  approvals: { within: 2h }
`;

/** What a command of somebody came to. */
export interface Ran {
  readonly status: number;
  readonly error: string;
}

/**
 * The page as it is wired, behind signing in at the laptop's issuer, over a database with two letters that wait. Redriving all
 * of them needs a second person: Ada and Grace may ask and approve, Eve may look.
 */
export interface ApprovalsStage {
  /** Without a slash at its end. */
  readonly url: string;
  readonly letters: Letters;
  /** Runs `penstock` with these words as this person: `ada`. */
  penstock(who: string, ...words: string[]): Promise<Ran>;
  /** Lets Ada ask for a redrive of all letters that these words choose, and gives the request's id. */
  ask(...choice: string[]): Promise<string>;
  /** Moves the page's clock on, and the issuer's. */
  later(ms: number): void;
  /** Leaves these headers out of all answers from now on, so that an attack can be seen without a defence. */
  without(...headers: string[]): void;
  close(): Promise<void>;
}

/** @param options.isSecure over HTTPS as in production, with the key of its sessions in a secret */
export async function openApprovalsStage({ isSecure = false } = {}): Promise<ApprovalsStage> {
  const folder = mkdtempSync(join(tmpdir(), 'approvals-page-'));
  mkdirSync(join(folder, 'policies'));
  writeFileSync(join(folder, 'policies/two.cedar'), POLICIES);
  const config = join(folder, 'penstock.yaml');
  writeFileSync(config, `${lettersDeclaration.replace('"b:1"', '"127.0.0.1:9"')}${ACCESS}`);
  const letters = await openLetters();
  await letters.setAside(order('a', '{"version": 1}', 1), order('b', '{"version": 2}', 2));
  let ahead = 0;
  const clock = () => Date.now() + ahead;
  const identity = await openIdentityServer({ now: clock });
  const served: Server = isSecure ? createTlsServer(makeAuthority().forServer()) : createServer();
  await once(served.listen(0, '127.0.0.1'), 'listening');
  const url = `${isSecure ? 'https' : 'http'}://127.0.0.1:${portOf(served.address())}`;
  const secrets = await openSecretServer();
  secrets.rotate('session', randomBytes(32).toString('base64'));
  const { declaration } = await readConfig(config, []);
  let left: readonly string[] = [];
  const dashboard = await openDashboard(
    declaration,
    {
      PENSTOCK_DASHBOARD_ACCESS: 'login',
      PENSTOCK_AUDIENCE: url,
      PENSTOCK_OIDC_ISSUER: identity.issuer,
      PENSTOCK_LOGIN_CLIENT: 'penstock-page',
      ...(isSecure ? { PENSTOCK_SESSION_SECRET: `projects/${PROJECT}/secrets/session` } : {}),
      PENSTOCK_CALLERS: 'ada@example.com,grace@example.com,eve@example.com',
    },
    {
      log: noLog,
      refused: { page: () => false, login: () => false },
      authority: await openAuthority(declaration, { door: 'dashboard', log: noLog }),
      clock,
    },
  );
  const listener = getRequestListener(
    async (request, bindings) => {
      const answer = await dashboard.app.fetch(request, bindings);
      for (const name of left) answer.headers.delete(name);
      return answer;
    },
    { overrideGlobalObjects: false },
  );
  served.on('request', (request, response) => void listener(request, response));
  const runOnce: ApprovalsStage['penstock'] = async (who, ...words) => {
    const env = { ...process.env, SPANNER_EMULATOR_HOST: letters.address, PENSTOCK_IDENTITY: `${who}@example.com` };
    const child = spawn(process.execPath, [launch, ...words, '--config', config, '--json'], { env });
    child.stdout.resume();
    const [error, [status]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    return { status, error };
  };
  // A busy machine may keep a command from its answer: it says so, and one tries again.
  const penstock: ApprovalsStage['penstock'] = async (who, ...words) => {
    for (let left = 5; ; left -= 1) {
      const ran = await runOnce(who, ...words);
      if (left === 0 || !ran.error.includes('There was no answer in time')) return ran;
    }
  };
  return {
    url,
    letters,
    penstock,
    async ask(...choice) {
      const { error } = await penstock('ada', 'dead-letters', 'redrive', 'orders', ...choice);
      const id = /approvals approve ([0-9a-f-]{36})/.exec(error)?.[1];
      if (id === undefined) throw new Error(`Ada's redrive asked for nobody: ${error}`);
      return id;
    },
    later(ms) {
      ahead += ms;
    },
    without(...headers) {
      left = headers;
    },
    async close() {
      served.closeAllConnections();
      served.close();
      await dashboard.close();
      await identity.close();
      await secrets.close();
      await letters[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Signs in at the laptop's issuer, as a person does. */
export async function signIn(page: Page, url: string, name: string): Promise<void> {
  await page.goto(url);
  await page.getByRole('link', { name: 'Sign in' }).click();
  await page.getByRole('button', { name }).click();
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
}

export function portOf(address: ReturnType<ReturnType<typeof createServer>['address']>): number {
  if (address === null || typeof address === 'string') throw new Error('The server has no port');
  return address.port;
}
