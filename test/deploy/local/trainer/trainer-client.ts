import { createHash } from 'node:crypto';
import * as z from 'zod';

/** What a request was answered with; fields that the answer lacks are undefined. */
export interface Reply {
  status: number;
  contentType: string | null;
  retryAfter: string | null;
  detail: string | undefined;
  text: string;
  json: unknown;
}

const epochSchema = z.object({
  epoch: z.string(),
  state: z.enum(['receiving', 'training', 'trained', 'failed']),
  error: z.string().optional(),
  shards: z.array(z.object({ shard: z.int(), taken: z.int(), next: z.int(), rows: z.int(), ended: z.boolean() })),
  batches: z.int(),
  rows: z.int(),
  position: z.object({ pass: z.int(), batch: z.int() }),
  passes: z.int(),
  steps: z.int(),
  rowsSeenOnce: z.int(),
  training: z.object({
    steps: z.int(),
    firstLoss: z.number().nullable(),
    lastLoss: z.number().nullable(),
    losses: z.array(z.object({ step: z.int(), loss: z.number() })).max(500),
    evaluations: z.array(z.object({ pass: z.int(), step: z.int(), loss: z.number(), auc: z.number().nullable() })),
    auc: z.number().nullable(),
    baselineAuc: z.number().nullable(),
  }),
  waitShare: z.number().min(0).max(1),
});

/** What `GET /v1/epochs/{epoch}` must look like. */
export type EpochReply = z.infer<typeof epochSchema>;

const asJson = { 'content-type': 'application/json' };

/** Speaks the contract with nothing but fetch. */
export function trainerClient(url: string, token?: string) {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const call = async (
    method: string,
    path: string,
    body?: string | Uint8Array<ArrayBuffer>,
    more: Record<string, string> = {},
  ): Promise<Reply> => {
    const init = body === undefined ? {} : { body };
    const response = await fetch(url + path, { method, headers: { ...headers, ...more }, ...init });
    const text = await response.text();
    const contentType = response.headers.get('content-type');
    const json: unknown = contentType?.includes('json') ? JSON.parse(text) : undefined;
    const detail = z.object({ detail: z.string() }).safeParse(json).data?.detail;
    return {
      status: response.status,
      contentType,
      retryAfter: response.headers.get('retry-after'),
      detail,
      text,
      json,
    };
  };
  return {
    call,
    announce: (epoch: string, body: object) => call('PUT', `/v1/epochs/${epoch}`, JSON.stringify(body), asJson),
    putBatch: (
      epoch: string,
      shard: number,
      sequence: number,
      body: Uint8Array<ArrayBuffer>,
      more: Record<string, string> = {},
    ) =>
      call('PUT', `/v1/epochs/${epoch}/shards/${shard}/batches/${sequence}`, body, {
        'content-type': 'application/vnd.safetensors',
        'content-digest': contentDigest(body),
        ...more,
      }),
    endShard: (epoch: string, shard: number, end: object) =>
      call('POST', `/v1/epochs/${epoch}/shards/${shard}/end`, JSON.stringify(end), asJson),
    endEpoch: (epoch: string) => call('POST', `/v1/epochs/${epoch}/end`),
    async show(epoch: string): Promise<EpochReply> {
      return epochSchema.parse((await call('GET', `/v1/epochs/${epoch}`)).json);
    },
    /** Asks until the epoch is as wanted, or fails after the deadline. */
    async until(epoch: string, wanted: (reply: EpochReply) => boolean, deadlineMs = 30_000): Promise<EpochReply> {
      const giveUpAt = performance.now() + deadlineMs;
      for (;;) {
        const reply = await this.show(epoch);
        if (wanted(reply)) return reply;
        if (reply.state === 'failed') throw new Error(`Epoch ${epoch} failed: ${reply.error}`);
        if (performance.now() > giveUpAt) throw new Error(`Not in ${deadlineMs} ms: ${JSON.stringify(reply.position)}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
  };
}

export type TrainerClient = ReturnType<typeof trainerClient>;

export function contentDigest(body: Uint8Array): string {
  return `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;
}
