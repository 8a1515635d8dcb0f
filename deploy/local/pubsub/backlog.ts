import { Deadlines } from './deadlines.ts';
import { Fifo } from './fifo.ts';
import type { Message } from './message.ts';

const RETENTION_CHECK_MS = 60_000;

/** What a subscription's settings say about delivery. */
export interface DeliveryRules {
  readonly ordered: boolean;
  readonly exactlyOnce: boolean;
  /** Undefined: a message that failed is ready again at once. */
  readonly retry: { readonly minMs: number; readonly maxMs: number } | undefined;
  /** Failures after which a message is offered to `deadLetter`; undefined: never. */
  readonly maxDeliveryAttempts: number | undefined;
  readonly retentionMs: number;
}

/** Who holds a lease; with ordering keys, one consumer at a time gets a key's messages. */
export interface Consumer {
  /** The lease ended: acknowledged, failed, or taken back. */
  released(message: Message, why: 'acknowledged' | 'failed' | 'expired'): void;
}

/** One message handed out. `lease` is what an acknowledgement has to name. */
export interface Delivery {
  readonly message: Message;
  readonly lease: number;
  /** 1 for the first. */
  readonly attempt: number;
}

interface Entry {
  readonly message: Message;
  readonly lane: Lane | undefined;
  failures: number;
  lease: { readonly number: number; readonly consumer: Consumer; expiresAtMs: number } | undefined;
  /** Acknowledged, but an earlier message of its key is not yet: it goes when that one goes, or comes again with it. */
  acknowledged: boolean;
  notBeforeMs: number;
}

/** The messages of one ordering key. */
interface Lane {
  readonly key: string;
  readonly waiting: Fifo<Entry>;
  /** Handed out, in order; all to the same consumer. */
  out: Entry[];
  isQueued: boolean;
}

type Due = { readonly id: string; readonly lease: number } | { readonly entry: Entry };

/**
 * The unacknowledged messages of one subscription, and what may happen to them.
 *
 * ```
 * add → ready → leased → acknowledged (gone)
 *         ↑        ↓ nack, expiry
 *         └── backing off → (too many failures) → deadLetter (gone)
 * ```
 * With ordering, a failure also takes back what was handed out of the same key after it.
 * No I/O and no clock of its own: every method takes the time.
 */
export class Backlog {
  rules: DeliveryRules;
  readonly #entries = new Map<string, Entry>();
  readonly #lanes = new Map<string, Lane>();
  readonly #ready = new Fifo<Entry | Lane>();
  readonly #deadlines = new Deadlines<Due>();
  readonly #deadLetter: (message: Message, failures: number) => boolean;
  #removed: Message[] = [];
  #failed: { id: string; failures: number }[] = [];
  #nextLease: number;
  #retentionCheckedAtMs = 0;

  /**
   * @param options.firstLease leases are numbered from here; numbers of an earlier life are never current again
   * @param options.deadLetter takes a message that failed too often; false keeps it here
   */
  constructor(options: {
    rules: DeliveryRules;
    firstLease: number;
    deadLetter: (message: Message, failures: number) => boolean;
  }) {
    this.rules = options.rules;
    this.#nextLease = options.firstLease;
    this.#deadLetter = options.deadLetter;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** When `expire` has work to do next. */
  get nextDeadlineMs(): number | undefined {
    return this.#deadlines.nextAtMs;
  }

  /** Everything held, oldest first. */
  *held(): Generator<{ message: Message; failures: number }> {
    for (const { message, failures } of this.#entries.values()) yield { message, failures };
  }

  add(message: Message, failures = 0): void {
    const lane = this.rules.ordered && message.orderingKey !== '' ? this.#lane(message.orderingKey) : undefined;
    const entry: Entry = { message, lane, failures, lease: undefined, acknowledged: false, notBeforeMs: 0 };
    this.#entries.set(message.id, entry);
    if (lane === undefined) this.#ready.push(entry);
    else {
      lane.waiting.push(entry);
      this.#queue(lane);
    }
  }

  /** Forgets a message whatever its state; for replay and for the end of retention. */
  remove(id: string): void {
    const entry = this.#entries.get(id);
    if (entry) this.#gone(entry);
  }

  setFailures(id: string, failures: number): void {
    const entry = this.#entries.get(id);
    if (entry) entry.failures = failures;
  }

  /** What has gone since the last call. */
  takeRemoved(): Message[] {
    const removed = this.#removed;
    if (removed.length > 0) this.#removed = [];
    return removed;
  }

  /** Which failure counts have grown since the last call. */
  takeFailed(): { id: string; failures: number }[] {
    const failed = this.#failed;
    if (failed.length > 0) this.#failed = [];
    return failed;
  }

  /** Hands out ready messages: at least one if there is any, and as many as the limits allow. */
  lease(request: {
    nowMs: number;
    deadlineMs: number;
    maxMessages: number;
    maxBytes: number;
    consumer: Consumer;
  }): Delivery[] {
    const deliveries: Delivery[] = [];
    const held: Lane[] = [];
    let bytes = 0;
    const fits = (entry: Entry): boolean =>
      deliveries.length < request.maxMessages &&
      (deliveries.length === 0 || bytes + entry.message.bytes <= request.maxBytes);
    const grant = (entry: Entry): void => {
      bytes += entry.message.bytes;
      deliveries.push(this.#grant(entry, request));
    };
    for (let next = this.#ready.peek(); next !== undefined; next = this.#ready.peek()) {
      if (deliveries.length >= request.maxMessages) break;
      if ('waiting' in next) {
        const head = next.waiting.peek();
        const mayGrant = next.out.length === 0 || next.out[0]?.lease?.consumer === request.consumer;
        if (head !== undefined && mayGrant && !fits(head)) break;
        this.#ready.shift();
        next.isQueued = false;
        if (mayGrant) this.#grantLane(next, request.nowMs, fits, grant);
        if (next.waiting.length > 0 && this.#isDue(next, request.nowMs)) held.push(next);
        else this.#dropEmpty(next);
      } else if (this.#entries.get(next.message.id) !== next) {
        this.#ready.shift();
      } else {
        if (!fits(next)) break;
        this.#ready.shift();
        grant(next);
      }
    }
    for (const lane of held) this.#queue(lane);
    return deliveries;
  }

  /** @returns false when the lease is not current and the rules care */
  acknowledge(id: string, leaseNumber: number): boolean {
    const entry = this.#entries.get(id);
    const isCurrent = entry?.lease?.number === leaseNumber;
    if (entry === undefined || (!isCurrent && (this.rules.exactlyOnce || entry.lane))) return !this.rules.exactlyOnce;
    if (entry.acknowledged) return true;
    entry.lease?.consumer.released(entry.message, 'acknowledged');
    const { lane } = entry;
    if (lane === undefined) {
      entry.lease = undefined;
      this.#gone(entry);
      return true;
    }
    entry.acknowledged = true;
    while (lane.out[0]?.acknowledged) this.#gone(lane.out[0]);
    if (lane.waiting.length > 0) this.#queue(lane);
    return true;
  }

  /**
   * Moves a lease's end.
   *
   * @param request.deadlineMs from now; 0 is a nack
   * @returns false when the lease is not current and the rules care
   */
  modifyDeadline(request: { id: string; lease: number; deadlineMs: number; nowMs: number }): boolean {
    const entry = this.#entries.get(request.id);
    if (entry?.lease === undefined || entry.lease.number !== request.lease || entry.acknowledged) {
      return !this.rules.exactlyOnce;
    }
    if (request.deadlineMs === 0) this.#fail(entry, 'failed', request.nowMs);
    else {
      const expiresAtMs = request.nowMs + request.deadlineMs;
      const isEarlier = expiresAtMs < entry.lease.expiresAtMs;
      entry.lease.expiresAtMs = expiresAtMs;
      if (isEarlier) this.#deadlines.add(expiresAtMs, { id: request.id, lease: request.lease });
    }
    return true;
  }

  /** Ends leases and back-offs that are over, and drops what is past retention. */
  expire(nowMs: number): void {
    this.#dropPastRetention(nowMs);
    for (let due = this.#deadlines.takeDue(nowMs); due !== undefined; due = this.#deadlines.takeDue(nowMs)) {
      if ('entry' in due) this.#backedOff(due.entry, nowMs);
      else this.#leaseEnded(due, nowMs);
    }
  }

  #lane(key: string): Lane {
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = { key, waiting: new Fifo(), out: [], isQueued: false };
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  #queue(lane: Lane): void {
    if (lane.isQueued) return;
    lane.isQueued = true;
    this.#ready.push(lane);
  }

  #isDue(lane: Lane, nowMs: number): boolean {
    return (lane.waiting.peek()?.notBeforeMs ?? 0) <= nowMs;
  }

  #grantLane(lane: Lane, nowMs: number, fits: (entry: Entry) => boolean, grant: (entry: Entry) => void): void {
    for (let head = lane.waiting.peek(); head !== undefined; head = lane.waiting.peek()) {
      const isGone = this.#entries.get(head.message.id) !== head;
      if (!isGone && (head.notBeforeMs > nowMs || !fits(head))) return;
      lane.waiting.shift();
      if (isGone) continue;
      lane.out.push(head);
      grant(head);
    }
  }

  #grant(entry: Entry, request: { nowMs: number; deadlineMs: number; consumer: Consumer }): Delivery {
    const number = this.#nextLease;
    this.#nextLease += 1;
    const expiresAtMs = request.nowMs + request.deadlineMs;
    entry.lease = { number, consumer: request.consumer, expiresAtMs };
    this.#deadlines.add(expiresAtMs, { id: entry.message.id, lease: number });
    return { message: entry.message, lease: number, attempt: entry.failures + 1 };
  }

  #leaseEnded(due: { id: string; lease: number }, nowMs: number): void {
    const entry = this.#entries.get(due.id);
    if (entry?.lease === undefined || entry.lease.number !== due.lease || entry.acknowledged) return;
    if (entry.lease.expiresAtMs > nowMs) this.#deadlines.add(entry.lease.expiresAtMs, due);
    else this.#fail(entry, 'expired', nowMs);
  }

  #fail(entry: Entry, why: 'failed' | 'expired', nowMs: number): void {
    entry.failures += 1;
    entry.lease?.consumer.released(entry.message, why);
    const { maxDeliveryAttempts } = this.rules;
    if (maxDeliveryAttempts !== undefined) {
      if (entry.failures >= maxDeliveryAttempts && this.#deadLetter(entry.message, entry.failures)) {
        entry.lease = undefined;
        this.#gone(entry);
        if (entry.lane?.waiting.length) this.#queue(entry.lane);
        return;
      }
      this.#failed.push({ id: entry.message.id, failures: entry.failures });
    }
    if (entry.lane === undefined) entry.lease = undefined;
    else this.#takeBackFrom(entry, entry.lane);
    entry.notBeforeMs = nowMs + this.#backoffMs(entry.failures);
    if (entry.notBeforeMs > nowMs) this.#deadlines.add(entry.notBeforeMs, { entry });
    else this.#backedOff(entry, nowMs);
  }

  /** A key's messages come again from the one that failed on, also those that were acknowledged out of order. */
  #takeBackFrom(entry: Entry, lane: Lane): void {
    const takenBack = lane.out.splice(lane.out.indexOf(entry));
    for (const later of takenBack) {
      if (later !== entry && !later.acknowledged) later.lease?.consumer.released(later.message, 'expired');
      later.lease = undefined;
      later.acknowledged = false;
    }
    lane.waiting.unshift(...takenBack);
  }

  #backoffMs(failures: number): number {
    const { retry } = this.rules;
    return retry === undefined ? 0 : Math.min(retry.maxMs, retry.minMs * 2 ** (failures - 1));
  }

  #backedOff(entry: Entry, nowMs: number): void {
    if (this.#entries.get(entry.message.id) !== entry || entry.lease || entry.notBeforeMs > nowMs) return;
    if (entry.lane === undefined) this.#ready.push(entry);
    else this.#queue(entry.lane);
  }

  #gone(entry: Entry): void {
    this.#entries.delete(entry.message.id);
    this.#removed.push(entry.message);
    if (entry.lease && !entry.acknowledged) entry.lease.consumer.released(entry.message, 'expired');
    entry.lease = undefined;
    const { lane } = entry;
    if (lane === undefined) return;
    const at = lane.out.indexOf(entry);
    if (at >= 0) lane.out.splice(at, 1);
    this.#dropEmpty(lane);
  }

  #dropEmpty(lane: Lane): void {
    if (lane.out.length === 0 && lane.waiting.length === 0 && !lane.isQueued) this.#lanes.delete(lane.key);
  }

  #dropPastRetention(nowMs: number): void {
    if (nowMs - this.#retentionCheckedAtMs < RETENTION_CHECK_MS) return;
    this.#retentionCheckedAtMs = nowMs;
    for (const entry of this.#entries.values()) {
      if (entry.message.publishTimeMs + this.rules.retentionMs > nowMs) break;
      this.#gone(entry);
    }
    for (let head = this.#ready.peek(); head && 'message' in head; head = this.#ready.peek()) {
      if (this.#entries.get(head.message.id) === head) break;
      this.#ready.shift();
    }
  }
}
