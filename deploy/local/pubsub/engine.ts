import { randomInt } from 'node:crypto';
import type protos from '@google-cloud/pubsub-api/build/protos/protos.js';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../grpc.ts';
import { Backlog, type Consumer, type Delivery } from './backlog.ts';
import type { Change } from './changes.ts';
import type { Filter } from './filter.ts';
import { type Message, makeMessage } from './message.ts';
import { filterOf, rulesOf } from './settings.ts';
import { toRfc3339 } from './time.ts';

type ISubscription = protos.google.pubsub.v1.ISubscription;
type ITopic = protos.google.pubsub.v1.ITopic;

/** What a subscription names as its topic once that is deleted. */
export const DELETED_TOPIC = '_deleted-topic_';
const MAX_BACKLOG_BYTES = 1024 * 1024 * 1024;
const IDS_PER_MS = 1000;
const MAX_TIMER_MS = 60_000;

interface Held {
  settings: ISubscription;
  filter: Filter;
  readonly backlog: Backlog;
  readonly listeners: Set<() => void>;
  timer: { readonly atMs: number; readonly handle: NodeJS.Timeout } | undefined;
}

/** Topics, subscriptions and their backlogs; every change goes through `record` before it is answered. */
export class Engine {
  readonly #topics = new Map<string, ITopic>();
  readonly #subscriptions = new Map<string, Held>();
  readonly #now: () => number;
  readonly #record: (change: Change) => void;
  readonly #maxTimerMs: number;
  /** Random, so that an acknowledgement from before a restart never names a lease of now. */
  readonly #firstLease = randomInt(2 ** 40);
  #lastId = 0;
  #heldBytes = 0;
  #isClosed = false;
  #settingsListener: (subscription: string) => void = () => {};

  /**
   * @param options.record keeps a change; it is safe when this returns
   * @param options.maxTimerMs looks at the clock at least this often while something is due later, for clocks that jump
   */
  constructor(options: { now: () => number; record: (change: Change) => void; maxTimerMs?: number }) {
    this.#now = options.now;
    this.#record = options.record;
    this.#maxTimerMs = options.maxTimerMs ?? MAX_TIMER_MS;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  topic(name: string | null | undefined): ITopic {
    const topic = this.#topics.get(name ?? '');
    if (topic === undefined) throw notFound(name);
    return topic;
  }

  topics(project: string): ITopic[] {
    return [...this.#topics.values()].filter(({ name }) => name?.startsWith(`${project}/topics/`));
  }

  subscription(name: string | null | undefined): ISubscription {
    return this.#held(name).settings;
  }

  /** Where the subscription pushes to; undefined when it does not, or is gone. */
  pushEndpoint(subscription: string): string | undefined {
    return this.#subscriptions.get(subscription)?.settings.pushConfig?.pushEndpoint || undefined;
  }

  /** Calls back with each subscription that is there, and whenever one is made, changed or deleted. */
  onSettings(listener: (subscription: string) => void): void {
    this.#settingsListener = listener;
    for (const name of this.#subscriptions.keys()) listener(name);
  }

  subscriptions(project: string): ISubscription[] {
    return [...this.#subscriptions.values()]
      .map(({ settings }) => settings)
      .filter(({ name }) => name?.startsWith(`${project}/subscriptions/`));
  }

  subscriptionsOf(topic: string): string[] {
    return [...this.#subscriptions].filter(([, { settings }]) => settings.topic === topic).map(([name]) => name);
  }

  createTopic(topic: ITopic): void {
    if (this.#topics.has(topic.name ?? '')) throw alreadyExists(topic.name);
    this.#commit({ kind: 'topic', topic });
  }

  replaceTopic(topic: ITopic): void {
    this.topic(topic.name);
    this.#commit({ kind: 'topic', topic });
  }

  deleteTopic(name: string): void {
    this.topic(name);
    this.#commit({ kind: 'topic-deleted', name });
  }

  createSubscription(subscription: ISubscription): void {
    this.topic(subscription.topic);
    if (this.#subscriptions.has(subscription.name ?? '')) throw alreadyExists(subscription.name);
    this.#commit({ kind: 'subscription', subscription });
  }

  replaceSubscription(subscription: ISubscription): void {
    this.#held(subscription.name);
    this.#commit({ kind: 'subscription', subscription });
  }

  deleteSubscription(name: string): void {
    this.#held(name);
    this.#commit({ kind: 'subscription-deleted', name });
  }

  /** @returns the ids given to the messages */
  publish(topic: string, contents: readonly Omit<Message, 'id' | 'publishTimeMs' | 'bytes'>[]): string[] {
    this.topic(topic);
    const publishTimeMs = this.#now();
    const messages = contents.map((content) => makeMessage({ ...content, id: this.#nextId(), publishTimeMs }));
    const bytes = messages.reduce((sum, message) => sum + message.bytes, 0);
    if (this.#heldBytes + bytes > MAX_BACKLOG_BYTES) {
      throw new RpcError(
        status.RESOURCE_EXHAUSTED,
        `The local server holds ${this.#heldBytes} bytes of unacknowledged messages, at most ${MAX_BACKLOG_BYTES}: consume or delete a subscription`,
      );
    }
    this.#commit({ kind: 'published', topic, messages });
    return messages.map(({ id }) => id);
  }

  lease(
    subscription: string,
    request: { deadlineMs?: number; maxMessages: number; maxBytes: number; consumer: Consumer },
  ): Delivery[] {
    const held = this.#current(subscription);
    const nowMs = this.#now();
    const deadlineMs = request.deadlineMs ?? (held.settings.ackDeadlineSeconds ?? 0) * 1000;
    const deliveries = held.backlog.lease({ ...request, deadlineMs, nowMs });
    this.#settle(subscription, held, 'quietly');
    return deliveries;
  }

  /** @returns the leases that were not current, where the subscription cares */
  acknowledge(subscription: string, leases: readonly { id: string; lease: number }[]): { id: string; lease: number }[] {
    const held = this.#current(subscription);
    const refused = leases.filter(({ id, lease }) => !held.backlog.acknowledge(id, lease));
    this.#settle(subscription, held);
    return refused;
  }

  /** @returns the leases that were not current, where the subscription cares */
  modifyDeadline(
    subscription: string,
    leases: readonly { id: string; lease: number; deadlineMs: number }[],
  ): { id: string; lease: number }[] {
    const held = this.#current(subscription);
    const nowMs = this.#now();
    const refused = leases.filter((lease) => !held.backlog.modifyDeadline({ ...lease, nowMs }));
    this.#settle(subscription, held);
    return refused;
  }

  /** Calls back whenever the subscription may have something to hand out, has changed or is gone; returns the way to stop. */
  listen(subscription: string, listener: () => void): () => void {
    const { listeners } = this.#held(subscription);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** What has to be kept to make this state again. */
  *snapshot(): Generator<Change> {
    yield { kind: 'ids', last: this.#lastId };
    for (const topic of this.#topics.values()) yield { kind: 'topic', topic };
    const holders = new Map<Message, [string, number][]>();
    for (const [name, { settings, backlog }] of this.#subscriptions) {
      yield { kind: 'subscription', subscription: settings };
      for (const { message, failures } of backlog.held()) {
        const by = holders.get(message);
        if (by) by.push([name, failures]);
        else holders.set(message, [[name, failures]]);
      }
    }
    const oldestFirst = [...holders].sort(([left], [right]) => Number(left.id) - Number(right.id));
    for (const [message, by] of oldestFirst) yield { kind: 'held', by, message };
  }

  /** Makes a change that was recorded earlier. */
  apply(change: Change): void {
    switch (change.kind) {
      case 'ids':
        this.#lastId = Math.max(this.#lastId, change.last);
        break;
      case 'topic':
        this.#topics.set(change.topic.name ?? '', change.topic);
        break;
      case 'topic-deleted':
        this.#applyTopicDeleted(change.name);
        break;
      case 'subscription':
        this.#applySubscription(change.subscription);
        this.#settingsListener(change.subscription.name ?? '');
        break;
      case 'subscription-deleted':
        this.#applySubscriptionDeleted(change.name);
        this.#settingsListener(change.name);
        break;
      case 'published':
        this.#applyPublished(change.topic, change.messages);
        break;
      case 'held':
        for (const [name, failures] of change.by) this.#add(this.#subscriptions.get(name), change.message, failures);
        break;
      case 'removed':
        this.#applyRemoved(change.subscription, change.ids);
        break;
      case 'failed':
        this.#subscriptions.get(change.subscription)?.backlog.setFailures(change.id, change.failures);
        break;
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const { timer } of this.#subscriptions.values()) clearTimeout(timer?.handle);
  }

  #held(name: string | null | undefined): Held {
    const held = this.#subscriptions.get(name ?? '');
    if (held === undefined) throw notFound(name);
    return held;
  }

  /** The subscription with every lease and back-off ended that is over by now. */
  #current(name: string): Held {
    const held = this.#held(name);
    const nowMs = this.#now();
    const isDue = (held.backlog.nextDeadlineMs ?? Number.POSITIVE_INFINITY) <= nowMs;
    held.backlog.expire(nowMs);
    if (isDue) this.#settle(name, held);
    return held;
  }

  #commit(change: Change): void {
    this.#record(change);
    this.apply(change);
  }

  /** Grows with the clock, so that ids are not used again even when all messages are gone and forgotten. */
  #nextId(): string {
    this.#lastId = Math.max(this.#lastId + 1, this.#now() * IDS_PER_MS);
    return String(this.#lastId);
  }

  #add(held: Held | undefined, message: Message, failures = 0): void {
    this.#lastId = Math.max(this.#lastId, Number(message.id));
    if (held === undefined) return;
    held.backlog.add(message, failures);
    this.#heldBytes += message.bytes;
  }

  #applyTopicDeleted(name: string): void {
    this.#topics.delete(name);
    for (const held of this.#subscriptions.values()) {
      if (held.settings.topic === name) held.settings = { ...held.settings, topic: DELETED_TOPIC };
    }
  }

  #applySubscription(settings: ISubscription): void {
    const name = settings.name ?? '';
    const held = this.#subscriptions.get(name);
    if (held) {
      held.settings = settings;
      held.backlog.rules = rulesOf(settings);
      for (const listener of [...held.listeners]) listener();
      return;
    }
    this.#subscriptions.set(name, {
      settings,
      filter: filterOf(settings),
      backlog: new Backlog({
        rules: rulesOf(settings),
        firstLease: this.#firstLease,
        deadLetter: (message, failures) => this.#deadLetter(name, message, failures),
      }),
      listeners: new Set(),
      timer: undefined,
    });
  }

  #applySubscriptionDeleted(name: string): void {
    const held = this.#subscriptions.get(name);
    if (held === undefined) return;
    this.#subscriptions.delete(name);
    clearTimeout(held.timer?.handle);
    for (const { message } of held.backlog.held()) this.#heldBytes -= message.bytes;
    for (const listener of [...held.listeners]) listener();
  }

  #applyPublished(topic: string, messages: readonly Message[]): void {
    for (const message of messages) this.#lastId = Math.max(this.#lastId, Number(message.id));
    for (const held of this.#subscriptions.values()) {
      if (held.settings.topic !== topic) continue;
      for (const message of messages) if (held.filter(message.attributes)) this.#add(held, message);
      for (const listener of [...held.listeners]) listener();
    }
  }

  #applyRemoved(subscription: string, ids: readonly string[]): void {
    const held = this.#subscriptions.get(subscription);
    for (const id of ids) held?.backlog.remove(id);
    for (const message of held?.backlog.takeRemoved() ?? []) this.#heldBytes -= message.bytes;
  }

  /** Records what the backlog did, and sets the timer for what it will do. */
  #settle(name: string, held: Held, how: 'quietly' | 'aloud' = 'aloud'): void {
    const removed = held.backlog.takeRemoved();
    const failed = held.backlog.takeFailed();
    for (const message of removed) this.#heldBytes -= message.bytes;
    if (removed.length > 0) this.#record({ kind: 'removed', subscription: name, ids: removed.map(({ id }) => id) });
    for (const { id, failures } of failed) this.#record({ kind: 'failed', subscription: name, id, failures });
    this.#setTimer(name, held);
    if (how === 'aloud' || failed.length > 0) for (const listener of [...held.listeners]) listener();
  }

  #setTimer(name: string, held: Held): void {
    const nextAtMs = held.backlog.nextDeadlineMs;
    if (this.#isClosed || nextAtMs === undefined || (held.timer && held.timer.atMs <= nextAtMs)) return;
    clearTimeout(held.timer?.handle);
    const handle = setTimeout(
      () => {
        held.timer = undefined;
        held.backlog.expire(this.#now());
        this.#settle(name, held);
      },
      Math.min(this.#maxTimerMs, Math.max(0, nextAtMs - this.#now())),
    );
    held.timer = { atMs: nextAtMs, handle };
  }

  /** Publishes to the dead-letter topic; when that is gone or full, the message stays where it is. */
  #deadLetter(subscription: string, message: Message, failures: number): boolean {
    const topic = this.#held(subscription).settings.deadLetterPolicy?.deadLetterTopic ?? '';
    if (!this.#topics.has(topic)) return false;
    const [, project = '', , name = ''] = subscription.split('/');
    const attributes = {
      ...message.attributes,
      CloudPubSubDeadLetterSourceDeliveryCount: String(failures),
      CloudPubSubDeadLetterSourceSubscription: name,
      CloudPubSubDeadLetterSourceSubscriptionProject: project,
      CloudPubSubDeadLetterSourceTopicPublishTime: toRfc3339(message.publishTimeMs),
    };
    try {
      this.publish(topic, [{ data: message.data, orderingKey: message.orderingKey, attributes }]);
    } catch (error) {
      if (error instanceof RpcError) return false;
      throw error;
    }
    return true;
  }
}

function shortName(name: string | null | undefined): string {
  return name?.split('/').at(-1) ?? '';
}

function notFound(name: string | null | undefined): RpcError {
  return new RpcError(status.NOT_FOUND, `Resource not found (resource=${shortName(name)}).`);
}

function alreadyExists(name: string | null | undefined): RpcError {
  return new RpcError(status.ALREADY_EXISTS, `Resource already exists in the project (resource=${shortName(name)}).`);
}
