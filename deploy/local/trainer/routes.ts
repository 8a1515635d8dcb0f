import type { IncomingMessage } from 'node:http';
import * as z from 'zod';
import { checkContentDigest } from './content-digest.ts';
import { describeEpoch } from './describe-epoch.ts';
import type { EpochStore } from './epoch-store.ts';
import { formatMetrics } from './format-metrics.ts';
import { Problem } from './problem.ts';
import { isArrow } from './read-arrow.ts';
import { type BodyBudget, readBody } from './read-body.ts';
import type { Training } from './training/training.ts';

export interface Answer {
  status: number;
  body: object | string;
}

/** What the handlers act on. */
export interface Desk {
  store: EpochStore;
  training: Training;
  budget: BodyBudget;
  maxCacheBytes: number;
}

const safetensorsBatch = 'application/vnd.safetensors';
const arrowBatch = 'application/vnd.apache.arrow.stream';
const anyBatch = 'application/octet-stream';

export const maxBatchBytes = 16 * 1024 * 1024;
const MAX_JSON_BYTES = 4 * 1024 * 1024;
const MAX_CREDITS = 8;

type Handle = (request: IncomingMessage, path: Readonly<Record<string, string>>, desk: Desk) => Promise<Answer>;

const EPOCH = '/v1/epochs/(?<epoch>[A-Za-z0-9][A-Za-z0-9._~:-]{0,127})';
const SHARD = `${EPOCH}/shards/(?<shard>0|[1-9][0-9]{0,8})`;

const routes: readonly { path: RegExp; methods: Readonly<Record<string, Handle>> }[] = [
  { path: /^\/v1\/epochs$/, methods: { GET: listEpochs } },
  { path: new RegExp(`^${EPOCH}$`), methods: { PUT: announceEpoch, GET: showEpoch } },
  { path: new RegExp(`^${SHARD}/batches/(?<sequence>0|[1-9][0-9]{0,8})$`), methods: { PUT: putBatch } },
  { path: new RegExp(`^${SHARD}/end$`), methods: { POST: endShard } },
  { path: new RegExp(`^${EPOCH}/end$`), methods: { POST: endEpoch } },
  { path: /^\/metrics$/, methods: { GET: showMetrics } },
];

/**
 * Answers one request whose caller has been checked.
 *
 * @throws {Problem} whatever is to be refused
 */
export async function answer(request: IncomingMessage, desk: Desk): Promise<Answer> {
  const path = readPath(request.url ?? '/');
  for (const route of routes) {
    const match = route.path.exec(path);
    if (match === null) continue;
    const handle = route.methods[request.method ?? ''];
    if (handle === undefined) {
      const allow = Object.keys(route.methods).join(', ');
      throw new Problem(405, 'Method not allowed', `${path} takes ${allow}, not ${request.method}`, { allow });
    }
    return handle(request, match.groups ?? {}, desk);
  }
  throw new Problem(404, 'Unknown address', `There is nothing at ${path}`);
}

function readPath(url: string): string {
  try {
    return decodeURIComponent(url.replace(/\?.*$/s, ''));
  } catch {
    throw new Problem(400, 'Bad address', 'The address is not percent-encoded UTF-8');
  }
}

async function announceEpoch(request: IncomingMessage, { epoch = '' }: Record<string, string>, desk: Desk) {
  const body = await readBody(request, MAX_JSON_BYTES, desk.budget);
  const isNew = await desk.store.announce(epoch, body);
  return { status: isNew ? 201 : 200, body: { status: isNew ? 'announced' : 'known' } };
}

async function putBatch(request: IncomingMessage, path: Record<string, string>, desk: Desk) {
  const place = { epoch: path.epoch ?? '', shard: Number(path.shard), sequence: Number(path.sequence) };
  desk.store.findShard(place.epoch, place.shard);
  const type = checkContentType(request);
  const body = await readBody(request, maxBatchBytes, desk.budget);
  if (type !== anyBatch && isArrow(body) !== (type === arrowBatch)) {
    throw new Problem(415, 'Wrong content type', `The body is not the ${type} that its Content-Type says`);
  }
  const digest = checkContentDigest(header(request, 'content-digest'), body);
  const status = await desk.store.putBatch({ ...place, traceparent: header(request, 'traceparent') }, body, digest);
  return { status: 200, body: { status, credits: creditsLeft(desk) } };
}

function checkContentType(request: IncomingMessage): string {
  const type = (request.headers['content-type'] ?? 'nothing').split(';')[0]?.trim().toLowerCase() ?? '';
  if (![safetensorsBatch, arrowBatch, anyBatch].includes(type)) {
    throw new Problem(415, 'Wrong content type', `A batch is ${safetensorsBatch} or ${arrowBatch}, not ${type}`);
  }
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') throw new Problem(415, 'Wrong encoding', `A batch is sent as it is, not as ${encoding}`);
  return type;
}

/** Batches go to the disk, so credits are bounded by the room that is left there, counted in the largest batches. */
function creditsLeft({ store, maxCacheBytes }: Desk): number {
  return Math.max(0, Math.min(MAX_CREDITS, Math.floor((maxCacheBytes - store.usedBytes) / maxBatchBytes)));
}

const shardEndSchema = z.object({ batches: z.int().min(0), rows: z.int().min(0) });

async function endShard(request: IncomingMessage, { epoch = '', shard }: Record<string, string>, desk: Desk) {
  desk.store.findShard(epoch, Number(shard));
  const end = shardEndSchema.safeParse(parseJson(await readBody(request, MAX_JSON_BYTES, desk.budget)));
  if (!end.success) throw new Problem(422, 'End refused', 'Wanted is {"batches":n,"rows":n} with whole numbers from 0');
  await desk.store.endShard(epoch, Number(shard), end.data);
  return { status: 200, body: { status: 'ended', ...end.data } };
}

async function endEpoch(request: IncomingMessage, { epoch = '' }: Record<string, string>, desk: Desk) {
  await readBody(request, MAX_JSON_BYTES, desk.budget);
  await desk.training.start(await desk.store.endEpoch(epoch));
  return { status: 200, body: { status: 'ended' } };
}

async function showEpoch(_request: IncomingMessage, { epoch = '' }: Record<string, string>, { store, training }: Desk) {
  const found = store.find(epoch);
  return { status: 200, body: describeEpoch(found, training.progressOf(epoch), training.passes) };
}

async function listEpochs(_request: IncomingMessage, _path: Record<string, string>, { store }: Desk) {
  return { status: 200, body: { epochs: [...store.epochs.keys()] } };
}

async function showMetrics(_request: IncomingMessage, _path: Record<string, string>, { store, training }: Desk) {
  return { status: 200, body: formatMetrics(store, training) };
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    throw new Problem(400, 'Not JSON', `The body of ${body.length} bytes is not JSON`);
  }
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
