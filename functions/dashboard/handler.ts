import { type Context, Hono } from 'hono';
import { problemOf } from '../../shared/adapters/http/problem.ts';
import type { NoteRefusal } from '../../shared/adapters/identity/audit-refusals.ts';
import { messageOf, PenstockError } from '../../shared/base/errors.ts';
import type { Log } from '../../shared/base/log.ts';
import type { Verdict } from '../../shared/connect/second-person.ts';
import type { Asker } from '../../shared/model/access/asker.ts';
import { type Access, refusalStatus } from './access.ts';
import type { Asset, AssetName } from './assets.ts';
import { readDecision } from './decide-form.ts';
import { backTo, type Login, loginRoutes } from './login/login-routes.ts';
import { answer, type Content, securityHeaders } from './page/answer.ts';
import { answerApi, answerEpoch } from './page/api.ts';
import type { Html } from './page/html.ts';
import { renderNotice, renderPage } from './page/page.ts';
import { renderApproval } from './page/page-approvals.ts';
import type { PageOptions, PipelineFilter } from './page/page-options.ts';
import type { ApprovalView } from './view/approval-view.ts';
import { explainTrouble } from './view/trouble.ts';
import type { EpochView, Overview } from './view/view-model.ts';

const MAX_SEARCH_CHARACTERS = 100;
const MAX_EPOCH_ID_CHARACTERS = 128;
const MAX_APPROVAL_ID_CHARACTERS = 64;
const YEAR_SECONDS = 31_536_000;
const filters: readonly PipelineFilter[] = ['all', 'attention', 'flowing', 'idle'];

/** What the page's server needs. */
export interface DashboardDependencies {
  readonly access: Access;
  /** Present where people sign in. */
  readonly login?: Login | undefined;
  /** Throws unless policies let the visitor see the page. */
  readonly admit: (visitor: Asker) => void;
  readonly overview: () => Promise<Overview>;
  readonly epoch: (id: string) => Promise<EpochView | undefined>;
  readonly approval: (id: string) => Promise<ApprovalView | undefined>;
  /** Whether policies let a visitor decide about a request: only so that the page offers it, `decide` asks again. */
  readonly mayDecide: (visitor: Asker, approval: ApprovalView) => boolean;
  /** Says a visitor's yes or no; see `decideApproval`. */
  readonly decide: (visitor: Asker, verdict: Verdict) => Promise<unknown>;
  readonly assets: Readonly<Record<AssetName, Asset>>;
  readonly log: Log;
  /** Audits who is not let in to the page, and who is not signed in. */
  readonly refused: { readonly page: NoteRefusal; readonly login: NoteRefusal };
  /** The path of the function's own address, without a slash at its end; a proxy takes it off before we see it. */
  readonly base: string;
}

/** What the adapter under functions-framework hands on of Node's request. */
interface Bindings {
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: string | undefined } };
}

/** `visitor`: who was let in. */
interface Shape {
  readonly Bindings: Bindings;
  readonly Variables: { visitor: Asker };
}

type DashboardContext = Context<Shape>;
type Answered = Response | Promise<Response>;

/** Serves the page, its files and the API. Every request is let in, or not, before anything else. */
export function dashboardApp(dependencies: DashboardDependencies): Hono<Shape> {
  const { access, admit, overview } = dependencies;
  const app = new Hono<Shape>();
  const { login, refused } = dependencies;
  // Whoever signs in is not let in yet.
  if (login)
    app.route(
      '/',
      loginRoutes(login, (c, error) => {
        refused.login(error);
        return refuse(c, error, dependencies);
      }),
    );
  app.use(async (c, next) => {
    const { incoming } = c.env ?? {};
    const remoteAddress = incoming?.socket?.remoteAddress;
    const host = c.req.header('host') ?? new URL(c.req.url).host;
    try {
      const visitor = await access({
        authorization: c.req.header('authorization'),
        cookies: c.req.header('cookie'),
        host,
        remoteAddress,
      });
      admit(visitor);
      c.set('visitor', visitor);
    } catch (error) {
      refused.page(error);
      return refuse(c, error, dependencies);
    }
    const isForm = c.req.method === 'POST' && c.req.path.startsWith('/approvals/');
    if (!isForm && !['GET', 'HEAD'].includes(c.req.method))
      return problem(c, 405, 'Only GET and HEAD are answered here', { allow: 'GET, HEAD' });
    return next();
  });
  app.get('/', async (c) => servePage(c, await overview(), dependencies));
  app.get('/assets/:name', (c) => serveAsset(c, dependencies));
  app.get('/api/epochs/:id', (c) => serveEpoch(c, dependencies));
  app.get('/approvals/:id', (c) => serveApproval(c, dependencies));
  app.post('/approvals/:id', (c) => takeDecision(c, dependencies));
  app.get('/api/:path', async (c) => {
    const found = answerApi(c.req.param('path'), new URL(c.req.url).searchParams, await overview());
    return found.status === 404 ? problem(c, 404, found.what) : serveJson(c, found.body);
  });
  app.notFound((c) => problem(c, 404, 'There is nothing here'));
  app.onError((error, c) => fail(c, error, dependencies));
  return app;
}

async function servePage(
  c: DashboardContext,
  overview: Overview,
  { assets, base, login }: DashboardDependencies,
): Promise<Response> {
  const session = login?.sessions.find(c.req.header('cookie'));
  const filter = filters.find((known) => known === c.req.query('state')) ?? 'all';
  const options: PageOptions = {
    base,
    assets: assetAddresses(assets, base),
    search: (c.req.query('q') ?? '').slice(0, MAX_SEARCH_CHARACTERS),
    filter,
    paused: c.req.query('paused') === '1',
    visitor: c.get('visitor').name,
    ...(session && { session: { name: session.person.name, formToken: session.formToken } }),
  };
  const page = String(await renderPage(overview, options));
  const timeless = String(await renderPage({ ...overview, asOf: '' }, options));
  return answer(c.req.raw, {
    ...pageContent(200, page, { 'cache-control': 'private, no-cache', 'penstock-as-of': overview.asOf }),
    identity: timeless,
  });
}

async function serveApproval(c: DashboardContext, dependencies: DashboardDependencies): Promise<Response> {
  const { approval, mayDecide, assets, base } = dependencies;
  const id = c.req.param('id') ?? '';
  const found = id.length > MAX_APPROVAL_ID_CHARACTERS ? undefined : await approval(id);
  if (!found) return problem(c, 404, 'There is no such approval');
  const visitor = c.get('visitor');
  const isAllowed = found.state === 'requested' && mayDecide(visitor, found);
  const reader = { base, visitor: visitor.name, assets: assetAddresses(assets, base), mayDecide: isAllowed };
  return sendNotice(c, 200, renderApproval(found, reader), {});
}

/** After the decision the browser asks for the request anew, so that a reload decides nothing again. */
async function takeDecision(c: DashboardContext, dependencies: DashboardDependencies): Promise<Response> {
  const { decide, base, assets, refused } = dependencies;
  const id = c.req.param('id') ?? '';
  const href = `${base}/approvals/${encodeURIComponent(id)}`;
  try {
    const visitor = c.get('visitor');
    await decide(visitor, await readDecision(c.req.raw, id, visitor));
    const headers = {
      ...securityHeaders,
      location: href,
      'cache-control': 'no-store',
    };
    return new Response(null, { status: 303, headers });
  } catch (error) {
    if (!(error instanceof PenstockError)) throw error;
    refused.page(error);
    const { status, title } = problemOf(error);
    const detail = `${error.message}. ${error.remedy}.`;
    const notice = { title, detail, link: { href, text: 'Look at it as it stands now' }, retry: false };
    return sendNotice(c, status, renderNotice(notice, assetAddresses(assets, base)), {});
  }
}

function serveAsset(c: DashboardContext, { assets }: DashboardDependencies): Answered {
  const asset = Object.values(assets).find(({ name }) => name === c.req.param('name'));
  if (!asset) return problem(c, 404, 'There is no such file');
  const isCurrent = c.req.query('v') === asset.version;
  const cacheControl = isCurrent ? `private, max-age=${YEAR_SECONDS}, immutable` : 'private, no-cache';
  const headers = { 'cache-control': cacheControl };
  return answer(c.req.raw, { status: 200, type: asset.type, body: asset.bytes, headers, identity: asset.version });
}

async function serveEpoch(c: DashboardContext, { overview, epoch }: DashboardDependencies): Promise<Response> {
  const id = c.req.param('id') ?? '';
  if (id.length > MAX_EPOCH_ID_CHARACTERS) return problem(c, 404, 'No epoch has such a long id');
  const newest = await overview();
  const found = newest.epoch?.id === id ? newest.epoch : await epoch(id);
  if (!found) return problem(c, 404, `There is no epoch ${id}`);
  return serveJson(c, answerEpoch(found, newest));
}

function serveJson(c: DashboardContext, body: object): Answered {
  const text = JSON.stringify(body);
  const asOf = 'asOf' in body && typeof body.asOf === 'string' ? body.asOf : '';
  return answer(c.req.raw, {
    status: 200,
    type: 'application/json; charset=utf-8',
    body: text,
    headers: { 'cache-control': 'private, no-cache', 'penstock-as-of': asOf },
    identity: JSON.stringify({ ...body, asOf: '' }),
  });
}

function refuse(c: Context, error: unknown, { log, login, base }: DashboardDependencies): Answered {
  const status = refusalStatus(error);
  if (status === 503) log('ERROR', 'A caller could not be checked', { error: messageOf(error) });
  const headers: Record<string, string> = status === 401 ? { 'www-authenticate': 'Bearer' } : {};
  const detail = status === 503 ? 'It cannot be checked now who you are' : messageOf(error);
  if (isApi(c)) return problem(c, status, detail, headers);
  const titles = { 401: 'Sign in to see this page', 403: 'You may not see this page', 503: 'Not now' };
  const nothing = c.req.method === 'POST' ? ' Nothing was decided.' : '';
  if (status === 401 && login) {
    const link = { href: `${base}/login${backTo(c.req.path)}`, text: 'Sign in' };
    const notice = { title: titles[status], detail: `${detail}.${nothing}`, link, retry: false };
    return sendNotice(c, status, renderNotice(notice, undefined), headers);
  }
  const remedy = error instanceof PenstockError ? ` ${error.remedy}.` : '';
  const notice = { title: titles[status], detail: `${detail}.${nothing}${remedy}`, retry: false };
  return sendNotice(c, status, renderNotice(notice, undefined), headers);
}

function fail(c: DashboardContext, error: unknown, { log, assets, base }: DashboardDependencies): Answered {
  const trouble = explainTrouble(error);
  log(trouble.expected ? 'WARNING' : 'ERROR', trouble.title, { error: messageOf(error) });
  const headers = { 'retry-after': '5' };
  if (isApi(c)) return problem(c, 503, `${trouble.title}. ${trouble.detail}`, headers);
  return sendNotice(c, 503, renderNotice({ ...trouble, retry: true }, assetAddresses(assets, base)), headers);
}

async function sendNotice(
  c: Context,
  status: number,
  notice: Html,
  headers: Record<string, string>,
): Promise<Response> {
  return answer(c.req.raw, pageContent(status, String(await notice), { ...headers, 'cache-control': 'no-store' }));
}

/** Problem details, RFC 9457. */
function problem(c: Context, status: number, detail: string, headers: Record<string, string> = {}): Answered {
  const titles: Readonly<Record<number, string>> = {
    401: 'Unauthenticated',
    403: 'Forbidden',
    404: 'Not found',
    405: 'Method not allowed',
    503: 'Unavailable',
  };
  return answer(c.req.raw, {
    status,
    type: 'application/problem+json; charset=utf-8',
    body: JSON.stringify({ type: 'about:blank', title: titles[status], status, detail }),
    headers: { ...headers, 'cache-control': 'no-store' },
  });
}

function pageContent(status: number, body: string, headers: Record<string, string>): Content {
  return { status, type: 'text/html; charset=utf-8', body, headers };
}

function assetAddresses(assets: DashboardDependencies['assets'], base: string): PageOptions['assets'] {
  const address = ({ name, version }: Asset) => `${base}/assets/${name}?v=${version}`;
  return {
    css: address(assets.css),
    morph: address(assets.morph),
    script: address(assets.script),
    icon: address(assets.icon),
  };
}

function isApi(c: Context): boolean {
  return c.req.path.startsWith('/api/');
}
