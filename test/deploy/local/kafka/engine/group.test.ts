import assert from 'node:assert/strict';
import { beforeEach, suite, test } from 'node:test';
import fc from 'fast-check';
import { Group } from '../../../../../deploy/local/kafka/engine/group.ts';
import type { JoinAnswer, SyncAnswer } from '../../../../../deploy/local/kafka/engine/group-member.ts';
import { errorCode } from '../../../../../deploy/local/kafka/protocol/error-code.ts';

const SESSION_MS = 1000;
const REBALANCE_MS = 5000;

/** A client of the group, which remembers what it was answered. */
class Client {
  memberId = '';
  generation = -1;
  joined: JoinAnswer | undefined;
  synced: SyncAnswer | undefined;
  readonly group: Group;
  readonly instanceId: string | null;

  constructor(group: Group, instanceId: string | null = null) {
    this.group = group;
    this.instanceId = instanceId;
  }

  get caller() {
    const { memberId, instanceId, generation } = this;
    return { memberId, instanceId, generation, protocolType: null, protocolName: null };
  }

  join(now: number, options: { idRequired?: boolean; protocols?: string[]; metadata?: string } = {}): void {
    const { idRequired = false, protocols = ['range'], metadata = 'topics' } = options;
    this.joined = undefined;
    this.synced = undefined;
    const request = {
      memberId: this.memberId,
      instanceId: this.instanceId,
      clientId: 'c',
      clientHost: '/h',
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: REBALANCE_MS,
      protocolType: 'consumer',
      protocols: protocols.map((name) => ({ name, metadata: Buffer.from(metadata) })),
      idRequired,
    };
    this.group.join(request, now, (answer) => {
      this.joined = answer;
      if (answer.memberId !== '') this.memberId = answer.memberId;
      if (answer.error === errorCode.none) this.generation = answer.generation;
    });
  }

  sync(now: number): void {
    const assignments = (this.joined?.members ?? []).map(({ memberId }) => ({
      memberId,
      assignment: Buffer.from(`for ${memberId}`),
    }));
    this.group.sync(this.caller, assignments, now, (answer) => {
      this.synced = answer;
    });
  }

  get waitsForJoin(): boolean {
    return this.joined === undefined;
  }

  get waitsForSync(): boolean {
    return this.synced === undefined;
  }

  get isLeader(): boolean {
    return this.joined?.error === errorCode.none && this.joined.leader === this.memberId;
  }
}

suite('Group', () => {
  let group: Group;

  beforeEach(() => {
    let ids = 0;
    group = new Group({ initialDelayMs: 0, maxMembers: 3, newMemberId: (prefix) => `${prefix}-${ids++}` });
  });

  const stable = (now: number, ...clients: Client[]): void => {
    for (const client of clients) {
      client.join(now);
      for (const other of clients) {
        if (group.state === 'PreparingRebalance' && !other.waitsForJoin) other.join(now);
      }
    }
    for (const client of clients) client.sync(now);
    assert.equal(group.state, 'Stable');
  };

  test('tells a new member its id, and takes it in when it joins with that id', () => {
    const client = new Client(group);
    client.join(0, { idRequired: true });
    assert.equal(client.joined?.error, errorCode.memberIdRequired);
    assert.notEqual(client.memberId, '');
    client.join(1, { idRequired: true });
    assert.deepEqual([client.joined?.error, client.generation], [errorCode.none, 1]);
  });

  test('gives every member what the leader assigned to it', () => {
    const [one, other] = [new Client(group), new Client(group)];
    stable(0, one);
    other.join(1);
    assert.equal(group.heartbeat(one.caller, 1), errorCode.rebalanceInProgress);
    one.join(2);
    assert.deepEqual([one.generation, other.generation], [2, 2]);
    other.sync(3);
    assert.ok(other.waitsForSync);
    one.sync(3);
    assert.equal(String(other.synced?.assignment), `for ${other.memberId}`);
    assert.deepEqual(
      [group.heartbeat(one.caller, 4), group.heartbeat(other.caller, 4)],
      [errorCode.none, errorCode.none],
    );
  });

  test('waits for more members in an empty group, as long as it was told', () => {
    const patient = new Group({
      initialDelayMs: 100,
      maxMembers: 9,
      newMemberId: (prefix) => `${prefix}${Math.random()}`,
    });
    const [one, other] = [new Client(patient), new Client(patient)];
    one.join(0);
    other.join(50);
    assert.ok(one.waitsForJoin);
    assert.equal(patient.nextDeadline, 100);
    patient.tick(100);
    assert.deepEqual([one.generation, other.generation], [1, 1]);
    assert.equal(one.joined?.members.length, 2);
  });

  test('expels a member that was silent for its session, and knows nothing of it when it wakes', () => {
    const [alive, zombie] = [new Client(group), new Client(group)];
    stable(0, alive, zombie);
    const before = group.generation;
    for (let now = 300; now <= 900; now += 300) group.heartbeat(alive.caller, now);
    assert.equal(group.nextDeadline, SESSION_MS);
    group.tick(SESSION_MS);
    assert.equal(group.heartbeat(alive.caller, SESSION_MS), errorCode.rebalanceInProgress);
    alive.join(SESSION_MS);
    alive.sync(SESSION_MS);
    assert.deepEqual([group.state, group.generation], ['Stable', before + 1]);
    assert.equal(group.heartbeat(zombie.caller, 1500), errorCode.unknownMemberId);
    assert.equal(group.mayCommit(zombie.caller, 1500), errorCode.unknownMemberId);
  });

  test('refuses a commit of an old generation, and any commit of a stranger', () => {
    const [one, other] = [new Client(group), new Client(group)];
    stable(0, one);
    const old = one.caller;
    assert.equal(group.mayCommit(old, 1), errorCode.none);
    stable(2, one, other);
    assert.equal(group.mayCommit(old, 3), errorCode.illegalGeneration);
    assert.equal(group.mayCommit({ memberId: '', instanceId: null, generation: -1 }, 3), errorCode.unknownMemberId);
  });

  test('ends a rebalance without the member that does not come back in time', () => {
    const [one, other, late] = [new Client(group), new Client(group), new Client(group)];
    stable(0, one, late);
    other.join(500);
    one.join(500);
    for (let now = 1000; now < 500 + REBALANCE_MS; now += 500) {
      assert.equal(group.heartbeat(late.caller, now), errorCode.rebalanceInProgress);
      group.tick(now);
    }
    assert.ok(one.waitsForJoin);
    group.tick(500 + REBALANCE_MS);
    assert.equal(one.joined?.error, errorCode.none);
    assert.equal(group.describe().length, 2);
    assert.equal(group.heartbeat(late.caller, 6000), errorCode.unknownMemberId);
  });

  test('expels the members that do not sync in time', () => {
    const [leader, other] = [new Client(group), new Client(group)];
    leader.join(0);
    other.join(0);
    leader.join(0);
    assert.equal(group.state, 'CompletingRebalance');
    other.sync(1);
    for (let now = 500; now < REBALANCE_MS; now += 500) group.heartbeat(leader.caller, now);
    group.tick(REBALANCE_MS);
    assert.equal(other.synced?.error, errorCode.rebalanceInProgress);
    assert.deepEqual(
      group.describe().map(({ memberId }) => memberId),
      [other.memberId],
    );
  });

  test('gives a static member its place back without a rebalance, and fences its former self', () => {
    const [one, other] = [new Client(group, 'i1'), new Client(group, 'i2')];
    stable(0, one, other);
    const generation = group.generation;
    const reborn = new Client(group, 'i2');
    reborn.join(1);
    assert.deepEqual([reborn.generation, group.state], [generation, 'Stable']);
    reborn.sync(2);
    assert.equal(String(reborn.synced?.assignment), `for ${other.memberId}`);
    assert.equal(group.heartbeat(other.caller, 3), errorCode.fencedInstanceId);
  });

  test('chooses the protocol that all support and most want', () => {
    const [one, other] = [new Client(group), new Client(group)];
    one.join(0, { protocols: ['a', 'b', 'c'] });
    other.join(0, { protocols: ['c', 'b'] });
    one.join(1, { protocols: ['a', 'b', 'c'] });
    assert.equal(group.protocolName, 'b');
    const stranger = new Client(group);
    stranger.join(2, { protocols: ['a'] });
    assert.equal(stranger.joined?.error, errorCode.inconsistentGroupProtocol);
  });

  test('is empty when the last member has left, and refuses more members than it may have', () => {
    const clients = [new Client(group), new Client(group), new Client(group)];
    stable(0, ...clients);
    const extra = new Client(group);
    extra.join(1);
    assert.equal(extra.joined?.error, errorCode.groupMaxSizeReached);
    for (const { memberId } of clients) assert.equal(group.leave({ memberId, instanceId: null }, 2), errorCode.none);
    assert.equal(group.state, 'Empty');
    assert.equal(group.nextDeadline, Number.POSITIVE_INFINITY);
  });

  test('never assigns one generation twice, and always comes to rest, whatever its members do', () => {
    const action = fc.record({
      who: fc.nat(2),
      what: fc.constantFrom('join', 'sync', 'heartbeat', 'leave', 'wait'),
      after: fc.nat(800),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        let ids = 0;
        const fuzzed = new Group({ initialDelayMs: 50, maxMembers: 3, newMemberId: (prefix) => `${prefix}-${ids++}` });
        const clients = [new Client(fuzzed), new Client(fuzzed), new Client(fuzzed)];
        let now = 0;
        const leaders = new Map<number, string>();
        for (const { who, what, after } of actions) {
          now += after;
          fuzzed.tick(now);
          const client = clients[who];
          if (!client) continue;
          if (what === 'join') client.join(now);
          if (what === 'sync') client.sync(now);
          if (what === 'heartbeat') fuzzed.heartbeat(client.caller, now);
          if (what === 'leave') fuzzed.leave({ memberId: client.memberId, instanceId: null }, now);
          if (client.joined?.error === errorCode.unknownMemberId) client.memberId = '';
          for (const { isLeader, generation, memberId } of clients) {
            if (!isLeader) continue;
            assert.equal(leaders.get(generation) ?? memberId, memberId);
            leaders.set(generation, memberId);
          }
        }
        while (fuzzed.nextDeadline !== Number.POSITIVE_INFINITY) {
          now = Math.max(now + 1, fuzzed.nextDeadline);
          fuzzed.tick(now);
        }
        assert.equal(fuzzed.state, 'Empty');
      }),
    );
  });
});
