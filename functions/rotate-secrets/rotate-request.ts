import { createHash } from 'node:crypto';
import { BadRequestError } from '../../shared/adapters/http/problem.ts';
import { requireSubscription } from '../../shared/adapters/pubsub/push-subscription.ts';
import type { KnownCaller } from '../../shared/base/refused-error.ts';

/** What a request to the door asks for. */
export type RotateRequest =
  /** Sees to every secret. */
  | { readonly kind: 'tick' }
  | { readonly kind: 'rotate'; readonly secret: string; readonly id: string }
  /** A message that asks for nothing here: of another event, or of a secret that is not this project's. */
  | { readonly kind: 'ignore'; readonly why: string };

const SECRET = /^projects\/[^/]+\/secrets\/([\w-]{1,255})$/;
const MAX_ID_CHARACTERS = 100;

/** What a request is read with. */
export interface RotateReading {
  /** `projects/P/subscriptions/S`, the only one whose messages are Secret Manager's. */
  readonly subscription: string;
  /** Whether a secret of this name is declared to rotate. */
  readonly isDeclared: (secret: string) => boolean;
  /** Whose token came with it. */
  readonly caller: KnownCaller;
}

/**
 * Reads what came to the door: Secret Manager's message as Pub/Sub pushes it, `{"secret"}` of who has an `Idempotency-Key`, or
 * nothing, which is the schedule's tick.
 *
 * Anything else is refused: a rotation back, or a misspelt name, must not become a rotation of everything that is due.
 *
 * A message's rotation id is the time of the rotation that it announces, so that a message that is published twice, under two
 * message ids, is one rotation.
 *
 * Source: cloud.google.com/secret-manager/docs/rotation-recommendations, "Event notifications".
 */
export function readRotateRequest(
  body: unknown,
  idempotencyKey: string | undefined,
  { subscription, isDeclared, caller }: RotateReading,
): RotateRequest {
  if (body === undefined) return { kind: 'tick' };
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw unknownRequest('it is no object');
  const message = fieldOf(body, 'message');
  if (message !== undefined) {
    const setting = 'PENSTOCK_ROTATION_SUBSCRIPTION';
    requireSubscription(fieldOf(body, 'subscription'), { subscription, setting, caller });
    return readMessage(message, isDeclared);
  }
  const unknown = Object.keys(body).find((name) => name !== 'secret');
  if (unknown !== undefined) throw unknownRequest(`it has ${JSON.stringify(unknown.slice(0, 100))}`);
  const secret = fieldOf(body, 'secret');
  if (secret === undefined) return { kind: 'tick' };
  if (typeof secret !== 'string') throw new BadRequestError('"secret" is no text', 'Send {"secret":"NAME"}');
  if (!idempotencyKey) {
    throw new BadRequestError(
      'The request has no Idempotency-Key',
      'Send one, the same when you repeat the request, so that one request is one rotation',
    );
  }
  return { kind: 'rotate', secret, id: `asked-${boundedId(idempotencyKey)}` };
}

function unknownRequest(why: string): BadRequestError {
  return new BadRequestError(
    `The request asks for nothing that this door does: ${why}`,
    'Send nothing for the schedule’s tick, {"secret":"NAME"}, or what Secret Manager sends; npx penstock rotate does the rest',
  );
}

function readMessage(message: unknown, isDeclared: (secret: string) => boolean): RotateRequest {
  const attributes = fieldOf(message, 'attributes');
  const eventType = fieldOf(attributes, 'eventType');
  if (eventType !== 'SECRET_ROTATE') return { kind: 'ignore', why: `it is a ${String(eventType).slice(0, 100)}` };
  const [, secret] = SECRET.exec(String(fieldOf(attributes, 'secretId'))) ?? [];
  if (secret === undefined)
    throw new BadRequestError('attributes.secretId names no secret', 'Send what Secret Manager sends');
  if (!isDeclared(secret)) return { kind: 'ignore', why: `secret ${secret} is not declared to rotate` };
  const next = nextRotationTime(fieldOf(message, 'data'));
  const messageId = fieldOf(message, 'messageId') ?? fieldOf(message, 'message_id');
  if (next === undefined && typeof messageId !== 'string') {
    throw new BadRequestError('The message has neither data nor an id', 'Send what Secret Manager sends');
  }
  return { kind: 'rotate', secret, id: `scheduled-${boundedId(next ?? String(messageId))}` };
}

/** The message's data is the secret as JSON, already with the time of the rotation after this one. */
function nextRotationTime(data: unknown): string | undefined {
  if (typeof data !== 'string') return undefined;
  try {
    const secret: unknown = JSON.parse(Buffer.from(data, 'base64').toString('utf8'));
    const next = fieldOf(fieldOf(secret, 'rotation'), 'nextRotationTime');
    return typeof next === 'string' ? next : undefined;
  } catch {
    return undefined;
  }
}

/** What came from outside becomes part of a key: short, and of plain characters. */
function boundedId(text: string): string {
  if (text.length <= MAX_ID_CHARACTERS && /^[\w.:-]+$/.test(text)) return text;
  return createHash('sha256').update(text).digest('hex');
}

function fieldOf(value: unknown, field: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, field)?.value;
}
