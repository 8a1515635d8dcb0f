import { randomUUID } from 'node:crypto';
import { errorCode } from '../protocol/error-code.ts';
import { Group } from './group.ts';
import { KafkaError } from './kafka-error.ts';

const MAX_MEMBERS = 1000;
const MAX_GROUPS = 10_000;
const MAX_TIMER_MS = 60_000;

/** All groups, each with the one timer that its next deadline needs. */
export class Groups {
  private readonly groups = new Map<string, { group: Group; timer: NodeJS.Timeout | undefined }>();
  private readonly now: () => number;
  private readonly initialDelayMs: number;

  constructor(options: { now: () => number; initialDelayMs: number }) {
    this.now = options.now;
    this.initialDelayMs = options.initialDelayMs;
  }

  find(id: string): Group | undefined {
    return this.groups.get(id)?.group;
  }

  ids(): string[] {
    return [...this.groups.keys()];
  }

  /**
   * Does something to a group, made when missing, and sets its timer anew.
   *
   * @throws {KafkaError} the id is empty, or there are too many groups
   */
  act<T>(id: string, action: (group: Group, now: number) => T): T {
    const entry = this.groups.get(id) ?? this.make(id);
    try {
      return action(entry.group, this.now());
    } finally {
      this.schedule(entry);
    }
  }

  /** Takes a group away that has no members. */
  delete(id: string): void {
    const entry = this.groups.get(id);
    clearTimeout(entry?.timer);
    entry?.group.die();
    this.groups.delete(id);
  }

  close(): void {
    for (const { group, timer } of this.groups.values()) {
      clearTimeout(timer);
      group.release();
    }
    this.groups.clear();
  }

  private make(id: string): { group: Group; timer: NodeJS.Timeout | undefined } {
    if (id === '') throw new KafkaError(errorCode.invalidGroupId, 'A group needs an id that is not empty');
    if (this.groups.size >= MAX_GROUPS) {
      throw new KafkaError(errorCode.coordinatorNotAvailable, `There are ${MAX_GROUPS} groups already: delete some`);
    }
    const newMemberId = (prefix: string): string => `${prefix}-${randomUUID()}`;
    const group = new Group({ initialDelayMs: this.initialDelayMs, maxMembers: MAX_MEMBERS, newMemberId });
    const entry = { group, timer: undefined };
    this.groups.set(id, entry);
    return entry;
  }

  private schedule(entry: { group: Group; timer: NodeJS.Timeout | undefined }): void {
    clearTimeout(entry.timer);
    const deadline = entry.group.nextDeadline;
    if (deadline === Number.POSITIVE_INFINITY) return;
    const wait = Math.min(Math.max(0, deadline - this.now()), MAX_TIMER_MS);
    entry.timer = setTimeout(() => {
      entry.group.tick(this.now());
      this.schedule(entry);
    }, wait);
  }
}
