import { type ErrorCode, errorCode } from '../protocol/error-code.ts';
import {
  type Caller,
  type GroupState,
  type JoinAnswer,
  type JoinRequest,
  joinError,
  type Member,
  type MemberView,
  metadataFor,
  type SyncAnswer,
  sameProtocols,
  supports,
  waits,
} from './group-member.ts';

/*
 * The classic consumer group, apart from sockets and clocks: every method is told the time, every answer goes to
 * a function that was handed in.
 *
 *            join                    all have joined, or time is up             leader syncs
 *   Empty ─────────▶ PreparingRebalance ─────────────────▶ CompletingRebalance ─────────────▶ Stable
 *     ▲                │   ▲         ▲                            │                             │
 *     │  nobody left   │   │         └── join, leave, expiry ─────┘                             │
 *     └────────────────┘   └──────────── join, leave, expiry ───────────────────────────────────┘
 *
 *   Empty ── deleted ──▶ Dead
 */

const NOTHING = Buffer.alloc(0);

/** One group's state machine. */
export class Group {
  state: GroupState = 'Empty';
  generation = 0;
  protocolType = '';
  protocolName: string | null = null;
  private readonly initialDelayMs: number;
  private readonly newMemberId: (prefix: string) => string;
  private readonly maxMembers: number;
  private readonly members = new Map<string, Member>();
  /** Ids given out by MEMBER_ID_REQUIRED and not yet joined with, with the time when they lapse. */
  private readonly announced = new Map<string, number>();
  private readonly byInstance = new Map<string, string>();
  private leader = '';
  private rebalanceEndsAt = Number.POSITIVE_INFINITY;
  private rebalanceNotBefore = 0;

  /**
   * @param options.initialDelayMs how long an empty group waits for more members
   * @param options.newMemberId makes a unique id that begins with the client's id
   */
  constructor(options: { initialDelayMs: number; maxMembers: number; newMemberId: (prefix: string) => string }) {
    this.initialDelayMs = options.initialDelayMs;
    this.maxMembers = options.maxMembers;
    this.newMemberId = options.newMemberId;
  }

  /** When {@link tick} has something to do, ms; infinite when nothing is due. */
  get nextDeadline(): number {
    let deadline = Number.POSITIVE_INFINITY;
    for (const member of this.members.values()) {
      if (!waits(member)) deadline = Math.min(deadline, member.expiresAt);
    }
    for (const lapsesAt of this.announced.values()) deadline = Math.min(deadline, lapsesAt);
    if (this.state === 'PreparingRebalance' && this.allJoined()) deadline = Math.min(deadline, this.rebalanceNotBefore);
    if (this.state === 'PreparingRebalance' || this.state === 'CompletingRebalance') {
      deadline = Math.min(deadline, this.rebalanceEndsAt);
    }
    return deadline;
  }

  /** Takes a member in; the answer comes when the rebalance is complete. */
  join(request: JoinRequest, now: number, answer: (answer: JoinAnswer) => void): void {
    const refusal = this.refuseJoin(request);
    if (refusal !== errorCode.none) {
      answer(joinError(refusal, request.memberId));
      return;
    }
    const owner = request.instanceId === null ? undefined : this.byInstance.get(request.instanceId);
    if (request.memberId === '' && owner !== undefined) this.replaceInstance(owner, request, now, answer);
    else if (request.memberId === '') this.joinNew(request, now, answer);
    else this.joinAgain(request, now, answer);
  }

  /** Hands in the leader's assignments, or asks for one's own. */
  sync(
    caller: Caller & { readonly protocolType: string | null; readonly protocolName: string | null },
    assignments: readonly { memberId: string; assignment: Buffer }[],
    now: number,
    answer: (answer: SyncAnswer) => void,
  ): void {
    const error = this.refuse(caller) || this.refuseProtocol(caller);
    const member = this.members.get(caller.memberId);
    if (error !== errorCode.none || !member) {
      answer({ error: error || errorCode.unknownMemberId, assignment: NOTHING });
      return;
    }
    this.touch(member, now);
    if (this.state === 'PreparingRebalance') {
      answer({ error: errorCode.rebalanceInProgress, assignment: NOTHING });
    } else if (this.state === 'Stable') {
      answer({ error: errorCode.none, assignment: member.assignment });
    } else {
      member.syncing?.({ error: errorCode.rebalanceInProgress, assignment: NOTHING });
      member.syncing = answer;
      if (caller.memberId === this.leader) this.assign(assignments, now);
    }
  }

  /** Keeps a member alive and tells it of a rebalance. */
  heartbeat(caller: Caller, now: number): ErrorCode {
    const error = this.refuse(caller);
    const member = this.members.get(caller.memberId);
    if (error !== errorCode.none || !member) return error || errorCode.unknownMemberId;
    this.touch(member, now);
    return this.state === 'PreparingRebalance' ? errorCode.rebalanceInProgress : errorCode.none;
  }

  /** Lets a member go at its own wish. */
  leave(leaving: { memberId: string; instanceId: string | null }, now: number): ErrorCode {
    const owner = leaving.instanceId === null ? undefined : this.byInstance.get(leaving.instanceId);
    if (leaving.instanceId !== null) {
      if (owner === undefined) return errorCode.unknownMemberId;
      if (leaving.memberId !== '' && leaving.memberId !== owner) return errorCode.fencedInstanceId;
    }
    const id = owner ?? leaving.memberId;
    if (this.announced.delete(id)) {
      this.completeIfAllJoined(now);
      return errorCode.none;
    }
    const member = this.members.get(id);
    if (!member) return errorCode.unknownMemberId;
    this.remove(member);
    this.afterRemoval(now);
    return errorCode.none;
  }

  /** Whether this caller may commit offsets now; a caller without member and generation stands outside the group. */
  mayCommit(caller: Caller, now: number): ErrorCode {
    if (this.state === 'Dead') return errorCode.coordinatorNotAvailable;
    if (caller.generation < 0 && this.members.size === 0) return errorCode.none;
    const error = this.refuse(caller);
    const member = this.members.get(caller.memberId);
    if (error !== errorCode.none || !member) return error || errorCode.unknownMemberId;
    this.touch(member, now);
    return this.state === 'CompletingRebalance' ? errorCode.rebalanceInProgress : errorCode.none;
  }

  /** Does what is due: expels the silent, ends what has waited long enough. */
  tick(now: number): void {
    let removed = false;
    for (const [id, lapsesAt] of this.announced) if (lapsesAt <= now) removed = this.announced.delete(id) || removed;
    for (const member of [...this.members.values()]) {
      if (waits(member) || member.expiresAt > now) continue;
      this.remove(member);
      removed = true;
    }
    if (removed) this.afterRemoval(now);
    if (this.state === 'PreparingRebalance') {
      if (now >= this.rebalanceEndsAt) this.complete(now);
      else this.completeIfAllJoined(now);
    } else if (this.state === 'CompletingRebalance' && now >= this.rebalanceEndsAt) {
      this.expelUnsynced(now);
    }
  }

  /** Ends a group that has no members. */
  die(): void {
    this.state = 'Dead';
  }

  /** Answers everybody who waits, as the broker goes away. */
  release(): void {
    for (const member of this.members.values()) {
      this.answerJoin(member, joinError(errorCode.coordinatorNotAvailable, member.id));
      this.answerSync(member, { error: errorCode.coordinatorNotAvailable, assignment: NOTHING });
    }
  }

  describe(): MemberView[] {
    return [...this.members.values()].map(({ id, instanceId, clientId, clientHost, assignment, ...member }) => ({
      memberId: id,
      instanceId,
      clientId,
      clientHost,
      metadata: metadataFor(member.protocols, this.protocolName),
      assignment,
    }));
  }

  private refuseJoin({ memberId, instanceId, protocolType, protocols }: JoinRequest): ErrorCode {
    if (this.state === 'Dead') return errorCode.coordinatorNotAvailable;
    if (protocolType === '' || protocols.length === 0) return errorCode.inconsistentGroupProtocol;
    const known = memberId !== '' && (this.members.has(memberId) || this.announced.has(memberId));
    const owner = instanceId === null ? undefined : this.byInstance.get(instanceId);
    if (owner !== undefined && memberId !== '' && owner !== memberId) return errorCode.fencedInstanceId;
    if (memberId !== '' && !known) return errorCode.unknownMemberId;
    if (!known && owner === undefined && this.members.size + this.announced.size >= this.maxMembers) {
      return errorCode.groupMaxSizeReached;
    }
    const others = [...this.members.values()].filter(({ id }) => id !== memberId && id !== owner);
    if (others.length === 0) return errorCode.none;
    const shared = protocols.some(({ name }) => others.every((member) => supports(member, name)));
    return shared && protocolType === this.protocolType ? errorCode.none : errorCode.inconsistentGroupProtocol;
  }

  private refuse({ memberId, instanceId, generation }: Caller): ErrorCode {
    if (this.state === 'Dead') return errorCode.coordinatorNotAvailable;
    if (instanceId !== null) {
      const owner = this.byInstance.get(instanceId);
      if (owner === undefined) return errorCode.unknownMemberId;
      if (owner !== memberId) return errorCode.fencedInstanceId;
    }
    if (!this.members.has(memberId)) return errorCode.unknownMemberId;
    return generation === this.generation ? errorCode.none : errorCode.illegalGeneration;
  }

  private refuseProtocol(caller: { protocolType: string | null; protocolName: string | null }): ErrorCode {
    const typeDiffers = caller.protocolType !== null && caller.protocolType !== this.protocolType;
    const nameDiffers = caller.protocolName !== null && caller.protocolName !== this.protocolName;
    return typeDiffers || nameDiffers ? errorCode.inconsistentGroupProtocol : errorCode.none;
  }

  private joinNew(request: JoinRequest, now: number, answer: (answer: JoinAnswer) => void): void {
    const id = this.newMemberId(request.instanceId ?? request.clientId);
    if (request.idRequired && request.instanceId === null) {
      this.announced.set(id, now + request.sessionTimeoutMs);
      answer(joinError(errorCode.memberIdRequired, id));
      return;
    }
    this.admit(id, request, now, answer);
  }

  private joinAgain(request: JoinRequest, now: number, answer: (answer: JoinAnswer) => void): void {
    if (this.announced.delete(request.memberId)) {
      this.admit(request.memberId, request, now, answer);
      return;
    }
    const member = this.members.get(request.memberId);
    if (!member) {
      answer(joinError(errorCode.unknownMemberId, request.memberId));
      return;
    }
    const unchanged = sameProtocols(member.protocols, request.protocols);
    this.update(member, request, now);
    const retried = this.state === 'CompletingRebalance' && unchanged;
    const idle = this.state === 'Stable' && unchanged && member.id !== this.leader;
    if (retried || idle) {
      answer(this.joinAnswer(member, false));
      return;
    }
    this.await(member, answer);
    this.rebalance(now);
  }

  private admit(id: string, request: JoinRequest, now: number, answer: (answer: JoinAnswer) => void): void {
    const { instanceId, clientId, clientHost } = request;
    const member: Member = {
      id,
      instanceId,
      clientId,
      clientHost,
      sessionTimeoutMs: 0,
      rebalanceTimeoutMs: 0,
      protocols: [],
      assignment: NOTHING,
      expiresAt: 0,
      joining: undefined,
      syncing: undefined,
    };
    if (this.members.size === 0) this.protocolType = request.protocolType;
    this.update(member, request, now);
    this.members.set(id, member);
    if (instanceId !== null) this.byInstance.set(instanceId, id);
    this.await(member, answer);
    this.rebalance(now);
  }

  /** A static member came back without its id: it takes over the place, and its former self is fenced. */
  private replaceInstance(
    formerId: string,
    request: JoinRequest,
    now: number,
    answer: (answer: JoinAnswer) => void,
  ): void {
    const former = this.members.get(formerId);
    if (!former) {
      this.joinNew(request, now, answer);
      return;
    }
    const id = this.newMemberId(request.instanceId ?? request.clientId);
    const unchanged = sameProtocols(former.protocols, request.protocols);
    const member: Member = { ...former, id, clientId: request.clientId, joining: undefined, syncing: undefined };
    this.answerJoin(former, joinError(errorCode.fencedInstanceId, formerId));
    this.answerSync(former, { error: errorCode.fencedInstanceId, assignment: NOTHING });
    this.members.delete(formerId);
    this.members.set(id, member);
    this.byInstance.set(request.instanceId ?? '', id);
    const wasLeader = this.leader === formerId;
    if (wasLeader) this.leader = id;
    this.update(member, request, now);
    if (this.state === 'Stable' && unchanged) {
      answer(this.joinAnswer(member, wasLeader));
      return;
    }
    this.await(member, answer);
    this.rebalance(now);
  }

  private update(member: Member, request: JoinRequest, now: number): void {
    member.sessionTimeoutMs = request.sessionTimeoutMs;
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
    member.protocols = request.protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) }));
    this.touch(member, now);
  }

  private await(member: Member, answer: (answer: JoinAnswer) => void): void {
    this.answerJoin(member, joinError(errorCode.rebalanceInProgress, member.id));
    member.joining = answer;
  }

  private rebalance(now: number): void {
    if (this.state !== 'PreparingRebalance') {
      for (const member of this.members.values()) {
        this.answerSync(member, { error: errorCode.rebalanceInProgress, assignment: NOTHING });
        this.touch(member, now);
      }
      this.rebalanceNotBefore = this.state === 'Empty' ? now + this.initialDelayMs : now;
      this.state = 'PreparingRebalance';
      this.rebalanceEndsAt = now + this.longestRebalance();
    }
    this.completeIfAllJoined(now);
  }

  private completeIfAllJoined(now: number): void {
    if (this.state === 'PreparingRebalance' && this.allJoined() && now >= this.rebalanceNotBefore) this.complete(now);
  }

  private allJoined(): boolean {
    return this.announced.size === 0 && this.members.values().every(({ joining }) => joining !== undefined);
  }

  private complete(now: number): void {
    for (const member of [...this.members.values()]) if (!member.joining) this.remove(member);
    this.generation++;
    if (this.members.size === 0) {
      this.becomeEmpty();
      return;
    }
    this.state = 'CompletingRebalance';
    this.rebalanceEndsAt = now + this.longestRebalance();
    this.protocolName = this.chooseProtocol();
    if (!this.members.has(this.leader)) this.leader = this.members.keys().next().value ?? '';
    for (const member of this.members.values()) {
      member.assignment = NOTHING;
      this.touch(member, now);
    }
    for (const member of [...this.members.values()]) this.answerJoin(member, this.joinAnswer(member, false));
  }

  private joinAnswer(member: Member, skipAssignment: boolean): JoinAnswer {
    const all = member.id === this.leader ? [...this.members.values()] : [];
    return {
      error: errorCode.none,
      memberId: member.id,
      generation: this.generation,
      protocolName: this.protocolName,
      leader: this.leader,
      skipAssignment,
      members: all.map(({ id, instanceId, protocols }) => ({
        memberId: id,
        instanceId,
        metadata: metadataFor(protocols, this.protocolName),
      })),
    };
  }

  private assign(assignments: readonly { memberId: string; assignment: Buffer }[], now: number): void {
    const given = new Map(assignments.map(({ memberId, assignment }) => [memberId, Buffer.from(assignment)]));
    this.state = 'Stable';
    for (const member of this.members.values()) {
      member.assignment = given.get(member.id) ?? NOTHING;
      this.touch(member, now);
      this.answerSync(member, { error: errorCode.none, assignment: member.assignment });
    }
  }

  private expelUnsynced(now: number): void {
    for (const member of [...this.members.values()]) if (!member.syncing) this.remove(member);
    this.afterRemoval(now);
  }

  private remove(member: Member): void {
    this.members.delete(member.id);
    if (member.instanceId !== null) this.byInstance.delete(member.instanceId);
    this.answerJoin(member, joinError(errorCode.unknownMemberId, member.id));
    this.answerSync(member, { error: errorCode.unknownMemberId, assignment: NOTHING });
  }

  private afterRemoval(now: number): void {
    if (this.state === 'PreparingRebalance' && this.members.size > 0) this.completeIfAllJoined(now);
    else if (this.state === 'Stable' || this.state === 'CompletingRebalance') this.rebalance(now);
    if (this.members.size === 0 && this.state === 'PreparingRebalance' && this.announced.size === 0) {
      this.generation++;
      this.becomeEmpty();
    }
  }

  private becomeEmpty(): void {
    this.state = 'Empty';
    this.leader = '';
    this.protocolName = null;
  }

  private touch(member: Member, now: number): void {
    member.expiresAt = now + member.sessionTimeoutMs;
  }

  private answerJoin(member: Member, answer: JoinAnswer): void {
    const reply = member.joining;
    member.joining = undefined;
    reply?.(answer);
  }

  private answerSync(member: Member, answer: SyncAnswer): void {
    const reply = member.syncing;
    member.syncing = undefined;
    reply?.(answer);
  }

  private longestRebalance(): number {
    return this.members.values().reduce((longest, member) => Math.max(longest, member.rebalanceTimeoutMs), 0);
  }

  /** Each member votes for the first of its protocols that all support. */
  private chooseProtocol(): string | null {
    const members = [...this.members.values()];
    const votes = new Map<string, number>();
    for (const { protocols } of members) {
      const choice = protocols.find(({ name }) => members.every((member) => supports(member, name)))?.name;
      if (choice !== undefined) votes.set(choice, (votes.get(choice) ?? 0) + 1);
    }
    const ranked = [...votes].sort(([, one], [, other]) => other - one);
    return ranked[0]?.[0] ?? null;
  }
}
