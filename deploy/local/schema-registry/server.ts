import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { openSchemaStore, type Reference, type Schema, type SchemaStore, type Version } from './store.ts';

const TYPES = ['AVRO', 'JSON', 'PROTOBUF'];
const CONTENT_TYPE = 'application/vnd.schemaregistry.v1+json';

/** A schema registry on 127.0.0.1. */
export interface SchemaRegistryServer {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  /** `127.0.0.1:port` */
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Starts a registry that speaks the part of Confluent's protocol that serializers and deserializers speak: schemas by id,
 * subjects and versions, registration, look-up. Compatibility is NONE; nothing is ever deleted.
 *
 * Source: https://docs.confluent.io/platform/current/schema-registry/develop/api.html
 *
 * @param options.isAllowed says whether a request with this Authorization header may come in; all may when left out
 * @param options.onRequest called with the method and path of every request
 */
export async function openSchemaRegistryServer(
  options: {
    readonly port?: number;
    readonly dir?: string;
    readonly isAllowed?: (authorization: string | undefined) => boolean;
    readonly onRequest?: (request: string) => void;
  } = {},
): Promise<SchemaRegistryServer> {
  const store = openSchemaStore(options.dir);
  const app = new Hono();
  app.use(async (c, next) => {
    options.onRequest?.(`${c.req.method} ${c.req.path}`);
    if (options.isAllowed && !options.isAllowed(c.req.header('authorization'))) {
      return fail(c, 401, 40101, 'Unauthorized');
    }
    await next();
    c.res.headers.set('content-type', CONTENT_TYPE);
    return;
  });
  addSchemas(app, store);
  addSubjects(app, store);
  app.get('/config', (c) => c.json({ compatibilityLevel: 'NONE' }));
  app.get('/', (c) => c.json({}));
  const server = createAdaptorServer({ fetch: app.fetch });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const address = `127.0.0.1:${port}`;
  return {
    url: `http://${address}`,
    address,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => {
          store.close();
          if (error) reject(error);
          else resolve();
        });
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}

function addSchemas(app: Hono, store: SchemaStore): void {
  app.get('/schemas/types', (c) => c.json(TYPES));
  app.get('/schemas/ids/:id', (c) => {
    const schema = store.byId(Number(c.req.param('id')));
    return schema ? c.json(written(schema)) : fail(c, 404, 40403, 'Schema not found');
  });
  app.get('/schemas/ids/:id/versions', (c) => {
    const id = Number(c.req.param('id'));
    if (!store.byId(id)) return fail(c, 404, 40403, 'Schema not found');
    const all = store.subjects().flatMap((subject) => store.versions(subject));
    return c.json(all.filter((one) => one.id === id).map(({ subject, version }) => ({ subject, version })));
  });
}

function addSubjects(app: Hono, store: SchemaStore): void {
  app.get('/subjects', (c) => c.json(store.subjects()));
  app.get('/subjects/:subject/versions', (c) => {
    const versions = store.versions(c.req.param('subject'));
    return versions.length === 0 ? noSubject(c) : c.json(versions.map(({ version }) => version));
  });
  app.get('/subjects/:subject/versions/:version', (c) => {
    const { subject, version } = c.req.param();
    const versions = store.versions(subject);
    if (versions.length === 0) return noSubject(c);
    const found = ['latest', '-1'].includes(version) ? versions.at(-1) : versions[Number(version) - 1];
    return found ? c.json(describe(found, store)) : fail(c, 404, 40402, `Version ${version} not found.`);
  });
  app.post('/subjects/:subject/versions', async (c) => {
    const schema = readSchema(await c.req.text(), store);
    if (typeof schema === 'string') return fail(c, 422, 42201, schema);
    return c.json({ id: store.register(c.req.param('subject'), schema).id });
  });
  app.post('/subjects/:subject', async (c) => {
    const schema = readSchema(await c.req.text(), store);
    if (typeof schema === 'string') return fail(c, 422, 42201, schema);
    const subject = c.req.param('subject');
    if (store.versions(subject).length === 0) return noSubject(c);
    const found = store.find(subject, schema);
    return found ? c.json(describe(found, store)) : fail(c, 404, 40403, 'Schema not found');
  });
}

/** As the protocol has it: the type is left out for Avro, references where there are none. */
function written({ type, text, references }: Schema): object {
  return {
    schema: text,
    ...(type === 'AVRO' ? {} : { schemaType: type }),
    ...(references.length === 0 ? {} : { references }),
  };
}

function describe({ subject, version, id }: Version, store: SchemaStore): object {
  const schema = store.byId(id);
  return { subject, version, id, ...(schema && written(schema)) };
}

/** @returns what is wrong, as a text */
function readSchema(body: string, store: SchemaStore): Schema | string {
  const parsed = parse(body);
  const { schema: text, schemaType: type = 'AVRO', references = [] } = { ...Object(parsed) };
  if (typeof text !== 'string' || text === '') return 'Empty schema';
  if (!TYPES.includes(type)) return `Invalid schema type ${type}`;
  if (type !== 'PROTOBUF' && parse(text) === undefined && !/^\w+$/.test(text)) return `Invalid schema ${text}`;
  if (!Array.isArray(references) || !references.every(isReference)) return 'Invalid references';
  const missing = references.find(({ subject, version }) => !store.versions(subject)[version - 1]);
  return missing
    ? `No schema reference found for subject "${missing.subject}" and version ${missing.version}`
    : { type, text, references };
}

function isReference(value: unknown): value is Reference {
  const { name, subject, version } = { ...Object(value) };
  return typeof name === 'string' && typeof subject === 'string' && Number.isInteger(version);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function noSubject(c: Context): Response {
  return fail(c, 404, 40401, `Subject '${c.req.param('subject')}' not found.`);
}

function fail(c: Context, status: 401 | 404 | 422, code: number, message: string): Response {
  return c.json({ error_code: code, message }, status, { 'content-type': CONTENT_TYPE });
}
