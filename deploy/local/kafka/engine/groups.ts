import { randomUUID } from 'node:crypto';
import { type ErrorCode, errorCode } from '../protocol/error-code.ts';
import { Group } from './group.ts';

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

  /** Why a group of this id cannot be had: it has no id, or it would be one too many. */
  refuse(id: string): ErrorCode {
    if (id === '') return errorCode.invalidGroupId;
    return this.groups.has(id) || this.groups.size < MAX_GROUPS ? errorCode.none : errorCode.policyViolation;
  }

  /** Does something to a group, made when missing, and sets its timer anew. */
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
