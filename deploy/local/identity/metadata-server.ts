import { Hono } from 'hono';
import { type AccessTokens, tokenSeconds } from './access-tokens.ts';
import { serveHttp } from './serve-http.ts';

const BASE = '/computeMetadata/v1';
const SCOPES = 'https://www.googleapis.com/auth/cloud-platform';

/** A metadata server on a port of its own; `host` goes into GCE_METADATA_HOST. */
export interface MetadataServer {
  /** `127.0.0.1:port` */
  readonly host: string;
  close(): Promise<void>;
}

/**
 * Imitates Cloud Run's metadata server for one service account.
 *
 * Source: https://cloud.google.com/run/docs/container-contract#metadata-server
 *
 * @param options.serviceAccount an email; its project is read from `name@PROJECT.iam.gserviceaccount.com`, otherwise `local`
 * @param options.mintIdToken makes the token for an audience
 */
export async function openMetadataServer(options: {
  serviceAccount: string;
  mintIdToken: (audience: string) => Promise<string>;
  tokens: AccessTokens;
}): Promise<MetadataServer> {
  const { address, close } = await serveHttp(metadataApp(options), 0);
  return { host: address, close };
}

function metadataApp(options: Parameters<typeof openMetadataServer>[0]): Hono {
  const { serviceAccount } = options;
  const projectId = projectOf(serviceAccount);
  const app = new Hono();
  app.use(async (c, next) => {
    if (c.req.header('metadata-flavor') !== 'Google') {
      return c.text('Missing Metadata-Flavor:Google header', 403, { 'Metadata-Flavor': 'Google' });
    }
    await next();
    c.res.headers.set('Metadata-Flavor', 'Google');
    return;
  });
  const text = (path: string, value: string): void => {
    app.get(`${BASE}${path}`, (c) => c.text(value));
  };
  text('/project/project-id', projectId);
  text('/project/numeric-project-id', '0');
  text('/universe/universe-domain', 'googleapis.com');
  text('/instance', 'id\nregion\nservice-accounts/\nzone\n');
  text('/instance/', 'id\nregion\nservice-accounts/\nzone\n');
  text('/instance/region', 'projects/0/regions/local');
  text('/instance/zone', 'projects/0/zones/local-1');
  text('/instance/service-accounts', `default/\n${serviceAccount}/\n`);
  text('/instance/service-accounts/', `default/\n${serviceAccount}/\n`);
  for (const account of ['default', serviceAccount]) {
    const base = `/instance/service-accounts/${account}`;
    text(`${base}/email`, serviceAccount);
    text(`${base}/scopes`, `${SCOPES}\n`);
    app.get(`${BASE}${base}/token`, (c) => {
      // Opaque as in production; of the emulated services IAM alone asks who holds it.
      const { token } = options.tokens.give('ya29.local-', `serviceAccount:${serviceAccount}`);
      return c.json({ access_token: token, expires_in: tokenSeconds, token_type: 'Bearer' });
    });
    app.get(`${BASE}${base}/identity`, async (c) => {
      const audience = c.req.query('audience');
      if (!audience) return c.text('non-empty audience parameter required', 400);
      return c.text(await options.mintIdToken(audience));
    });
  }
  return app;
}

function projectOf(serviceAccount: string): string {
  return /@([^.@]+)\.iam\.gserviceaccount\.com$/.exec(serviceAccount)?.[1] ?? 'local';
}
