import { type Context, Hono } from 'hono';
import { type AccessTokens, tokenSeconds } from './access-tokens.ts';
import { serveHttp } from './serve-http.ts';

const ROOT = '/computeMetadata/v1';
const SCOPES = ['https://www.googleapis.com/auth/cloud-platform'];
const FLAVOR = { 'Metadata-Flavor': 'Google' };

/** A metadata server on a port of its own; `host` goes into GCE_METADATA_HOST. */
export interface MetadataServer {
  /** `127.0.0.1:port` */
  readonly host: string;
  close(): Promise<void>;
}

interface MetadataOptions {
  readonly serviceAccount: string;
  readonly mintIdToken: (audience: string) => Promise<string>;
  readonly tokens: AccessTokens;
}

/** What can be read: a value, a list of lines, or a directory. Keys are as in paths. */
type Entry = string | number | readonly string[] | { readonly [name: string]: Entry };

/**
 * Imitates Cloud Run's metadata server for one service account.
 *
 * Sources: https://cloud.google.com/run/docs/container-contract#metadata-server,
 * https://cloud.google.com/compute/docs/metadata/querying-metadata
 *
 * @param options.serviceAccount an email; its project is read from `name@PROJECT.iam.gserviceaccount.com`, otherwise `local`
 * @param options.mintIdToken makes the token for an audience
 */
export async function openMetadataServer(options: MetadataOptions): Promise<MetadataServer> {
  const { address, close } = await serveHttp(metadataApp(options), 0);
  return { host: address, close };
}

function metadataApp({ serviceAccount, mintIdToken, tokens }: MetadataOptions): Hono {
  const tree = treeOf(serviceAccount);
  const app = new Hono();
  app.use(async (c, next) => {
    const refusal = refusalOf(c);
    if (refusal !== undefined) return c.text(refusal, 403, FLAVOR);
    await next();
    c.res.headers.set('Metadata-Flavor', 'Google');
    return;
  });
  for (const account of ['default', serviceAccount]) {
    const base = `${ROOT}/instance/service-accounts/${account}`;
    app.get(`${base}/token`, (c) => {
      // Opaque as in production; of the emulated services IAM alone asks who holds it.
      const { token } = tokens.give('ya29.local-', `serviceAccount:${serviceAccount}`);
      return c.json({ access_token: token, expires_in: tokenSeconds, token_type: 'Bearer' });
    });
    app.get(`${base}/identity`, async (c) => {
      const audience = c.req.query('audience');
      if (!audience) return c.text('non-empty audience parameter required', 400);
      return c.text(await mintIdToken(audience));
    });
  }
  app.get('/', (c) => c.text('computeMetadata/\n'));
  app.get(`${ROOT}/*`, (c) => read(c, tree));
  return app;
}

/** A browser, or a proxy that a stranger has sent to us, cannot set the one header and leave out the other. */
function refusalOf({ req }: Context): string | undefined {
  if (req.header('metadata-flavor') !== 'Google') return 'Missing Metadata-Flavor:Google header';
  if (req.header('x-forwarded-for') !== undefined) return 'Requests with X-Forwarded-For are not allowed';
  return undefined;
}

function treeOf(serviceAccount: string): Entry {
  const project = /@([^.@]+)\.iam\.gserviceaccount\.com$/.exec(serviceAccount)?.[1] ?? 'local';
  const account = { aliases: ['default'], email: serviceAccount, scopes: SCOPES };
  return {
    instance: {
      id: '0',
      region: 'projects/0/regions/local',
      'service-accounts': { default: account, [serviceAccount]: account },
      zone: 'projects/0/zones/local-1',
    },
    project: { 'numeric-project-id': 0, 'project-id': project },
    universe: { 'universe-domain': 'googleapis.com' },
  };
}

function read(c: Context, tree: Entry): Response {
  const path = decodeURIComponent(new URL(c.req.url).pathname).slice(ROOT.length);
  let entry: Entry | undefined = tree;
  for (const name of path.split('/').filter((part) => part !== '')) {
    entry = isDirectory(entry) && Object.hasOwn(entry, name) ? entry[name] : undefined;
  }
  if (entry === undefined) return c.text('Not Found', 404);
  const isRecursive = c.req.query('recursive')?.toLowerCase() === 'true';
  if ((isRecursive && isDirectory(entry)) || c.req.query('alt') === 'json') return c.json(asJson(entry));
  return c.text(asText(entry));
}

function isDirectory(entry: Entry | undefined): entry is { readonly [name: string]: Entry } {
  return typeof entry === 'object' && !Array.isArray(entry);
}

function asText(entry: Entry): string {
  if (!isDirectory(entry)) return Array.isArray(entry) ? entry.map((line) => `${line}\n`).join('') : String(entry);
  return Object.entries(entry)
    .map(([name, below]) => `${name}${isDirectory(below) ? '/' : ''}\n`)
    .join('');
}

/** Names of directories are written otherwise there: `service-accounts` is `serviceAccounts`. */
function asJson(entry: Entry): Entry {
  if (!isDirectory(entry)) return entry;
  return Object.fromEntries(
    Object.entries(entry).map(([name, below]) => {
      const key = name.includes('@') ? name : name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
      return [key, asJson(below)];
    }),
  );
}
