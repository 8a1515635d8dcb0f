import { doorVerifier } from '../../shared/adapters/identity/door.ts';
import { openIdTokens } from '../../shared/adapters/identity/id-tokens.ts';
import { type EndOffsets, openEndOffsets } from '../../shared/adapters/kafka/end-offsets.ts';
import { openApprovalStore } from '../../shared/adapters/spanner/approvals/approval-store.ts';
import { openDatabase } from '../../shared/adapters/spanner/open-database.ts';
import { openOverviewStore } from '../../shared/adapters/spanner/overview-store.ts';
import { type Clock, systemClock } from '../../shared/base/clock.ts';
import { type Environment, list, readEnvironment, text } from '../../shared/base/environment.ts';
import { ConfigError } from '../../shared/base/errors.ts';
import type { Authority } from '../../shared/connect/authority.ts';
import { type CredentialSources, kafkaAccess } from '../../shared/connect/kafka-access.ts';
import { openReportedSources } from '../../shared/connect/reported-sources.ts';
import { decideApproval } from '../../shared/connect/second-person.ts';
import type { Declaration } from '../../shared/model/config/declaration.ts';
import { type Access, localAccess, loginAccess, tokenAccess } from './access.ts';
import { loadAssets } from './assets.ts';
import { type DashboardDependencies, dashboardApp } from './handler.ts';
import { openLogin } from './login/open-login.ts';
import { mayDecide } from './may-decide.ts';
import { sourceGatherer } from './sources/gather.ts';
import { shareLoad } from './sources/share-load.ts';
import { askTrainer } from './sources/trainer-progress.ts';
import { viewApproval, wholeCharacters } from './view/approval-view.ts';
import { viewEpoch } from './view/epoch-view.ts';
import { viewOverview } from './view/overview.ts';

const KEEP_MS = 1_000;
const WAIT_MS = 8_000;
const OUTSIDE_TIMEOUT_MS = 1_000;
const MAX_SHARDS = 20_000;

const settings = {
  access: text(
    'PENSTOCK_DASHBOARD_ACCESS',
    'Set it to `open` on a laptop, to `login` for people to sign in, or leave it unset to ask for tokens',
    'token',
  ),
  issuers: list('PENSTOCK_OIDC_ISSUER', 'Name the issuers of incoming tokens, divided by commas'),
  audience: text('PENSTOCK_AUDIENCE', "Set it to the dashboard's own URL", ''),
  callers: list('PENSTOCK_CALLERS', 'List the accounts that may look'),
};

/** The running page: a fetch handler, and what it holds open. */
export interface Dashboard {
  readonly app: ReturnType<typeof dashboardApp>;
  close(): Promise<void>;
}

/**
 * Opens everything that the page reads from.
 *
 * @throws {ConfigError} naming every missing or malformed setting
 */
export async function openDashboard(
  declaration: Declaration,
  env: Environment,
  {
    log,
    refused,
    authority,
    clock = systemClock,
  }: Pick<DashboardDependencies, 'log' | 'refused'> & { readonly authority: Authority; readonly clock?: Clock },
): Promise<Dashboard> {
  const sources = openReportedSources(declaration, { name: 'dashboard', env, log });
  const tools = { log, clock, onVersion: sources.onVersion };
  const { access, login } = await chooseAccess(declaration, env, tools).catch(async (error: unknown) => {
    await sources.close();
    throw error;
  });
  const opened = openDatabase(declaration.spanner.database);
  const store = openOverviewStore(opened.database);
  const endOffsets = openEnds(declaration, sources);
  const tokens = openIdTokens();
  const approvals = openApprovalStore(opened.database);
  const gather = sourceGatherer({
    declaration,
    store,
    endOffsets,
    clock,
    listApprovals: approvals.list,
    askTrainer: (url, audience, epochId) =>
      askTrainer({ url, audience, authorization: tokens.authorization, timeoutMs: OUTSIDE_TIMEOUT_MS }, epochId),
  });
  const app = dashboardApp({
    access,
    login,
    admit: (visitor) => void authority.require(visitor, 'view', { type: 'Function', name: 'dashboard' }),
    assets: loadAssets(),
    base: basePathOf(env.PENSTOCK_AUDIENCE),
    log,
    refused,
    overview: shareLoad({ keepMs: KEEP_MS, waitMs: WAIT_MS, clock }, async () => viewOverview(await gather())),
    approval: async (id) => {
      const found = await approvals.find(id);
      return found && viewApproval(found, clock(), wholeCharacters);
    },
    mayDecide: (visitor, approval) => mayDecide(visitor, approval, authority),
    decide: (visitor, verdict) => decideApproval(visitor, verdict, { authority, approvals, log, clock }),
    epoch: (id) =>
      store.read(async (reader) => {
        const row = await reader.epoch(id);
        return row && viewEpoch(row, await reader.shards(id, MAX_SHARDS), { declaration, nowMs: clock() });
      }),
  });
  return {
    app,
    async close() {
      await login?.close();
      await endOffsets?.close();
      await sources.close();
      await opened.close();
    },
  };
}

interface ChosenAccess {
  readonly access: Access;
  readonly login?: Awaited<ReturnType<typeof openLogin>> | undefined;
}

async function chooseAccess(
  declaration: Declaration,
  env: Environment,
  tools: Parameters<typeof openLogin>[3],
): Promise<ChosenAccess> {
  const { access, issuers, audience, callers } = readEnvironment(settings, env);
  if (access === 'open') return { access: localAccess() };
  const problems = [
    ...(access === 'token' || access === 'login'
      ? []
      : [
          {
            path: 'PENSTOCK_DASHBOARD_ACCESS',
            message: `is ${JSON.stringify(access)}`,
            remedy: 'Set it to `open`, `login` or `token`',
          },
        ]),
    ...(audience === ''
      ? [{ path: 'PENSTOCK_AUDIENCE', message: 'is not set', remedy: settings.audience.remedy }]
      : []),
    ...(callers.length === 0
      ? [{ path: 'PENSTOCK_CALLERS', message: 'is not set', remedy: settings.callers.remedy }]
      : []),
  ];
  if (problems.length > 0) throw new ConfigError(problems);
  const door = { issuers, audience: audience.replace(/\/+$/, ''), callers };
  const verify = doorVerifier({ ...door, audience }, declaration);
  if (access === 'token') return { access: tokenAccess(verify) };
  const login = await openLogin(declaration, env, door, tools);
  return { access: loginAccess(login.sessions, verify), login };
}

/** Our own URL may have a path, as when `penstock serve` puts every function on one port. */
function basePathOf(audience: string | undefined): string {
  return audience && URL.canParse(audience) ? new URL(audience).pathname.replace(/\/+$/, '') : '';
}

function openEnds({ kafka }: Declaration, sources: CredentialSources): EndOffsets | undefined {
  if (!kafka || (kafka.brokers.length === 0 && kafka.brokersSecret === undefined)) return undefined;
  return openEndOffsets(() => kafkaAccess(kafka, sources), OUTSIDE_TIMEOUT_MS);
}
