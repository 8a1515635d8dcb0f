import type { ErrorCode } from '../protocol/error-code.ts';

/** The states, by the names that Kafka's tools print. */
export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead';

/** A way to assign partitions, and what the member says for it. */
export interface Protocol {
  readonly name: string;
  readonly metadata: Buffer;
}

/** What a member asks for when it joins. */
export interface JoinRequest {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocolType: string;
  readonly protocols: readonly Protocol[];
  /** From JoinGroup version 4 on: a new member is told its id and joins again with it. */
  readonly idRequired: boolean;
}

/** The answer to a join. */
export interface JoinAnswer {
  readonly error: ErrorCode;
  readonly memberId: string;
  readonly generation: number;
  readonly protocolName: string | null;
  readonly leader: string;
  readonly skipAssignment: boolean;
  readonly members: readonly { memberId: string; instanceId: string | null; metadata: Buffer }[];
}

/** The answer to a sync. */
export interface SyncAnswer {
  readonly error: ErrorCode;
  readonly assignment: Buffer;
}

/** Who speaks, in a request of a member. */
export interface Caller {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly generation: number;
}

/** A member as DescribeGroups shows it. */
export interface MemberView {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly metadata: Buffer;
  readonly assignment: Buffer;
}

/** A member as the group keeps it. */
export interface Member {
  readonly id: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  protocols: readonly Protocol[];
  assignment: Buffer;
  expiresAt: number;
  joining: ((answer: JoinAnswer) => void) | undefined;
  syncing: ((answer: SyncAnswer) => void) | undefined;
}

const NOTHING = Buffer.alloc(0);

/** A member whose request is held here is not silent. */
export function waits(member: Member): boolean {
  return member.joining !== undefined || member.syncing !== undefined;
}

/** Whether a member can be assigned by this protocol. */
export function supports(member: Member, name: string): boolean {
  return member.protocols.some((protocol) => protocol.name === name);
}

/** What a member says for a protocol. */
export function metadataFor(protocols: readonly Protocol[], name: string | null): Buffer {
  return protocols.find((protocol) => protocol.name === name)?.metadata ?? NOTHING;
}

/** Whether a member that joins again has nothing new to say. */
export function sameProtocols(one: readonly Protocol[], other: readonly Protocol[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ name, metadata }, at) => other[at]?.name === name && metadata.equals(other[at].metadata))
  );
}

/** The answer to a join that is refused. */
export function joinError(error: ErrorCode, memberId: string): JoinAnswer {
  return { error, memberId, generation: -1, protocolName: null, leader: '', skipAssignment: false, members: [] };
}
