import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Kafka, logLevel } from 'kafkajs';
import { errorCode } from '../../../../deploy/local/kafka/protocol/error-code.ts';
import { type KafkaServer, openKafkaServer } from '../../../../deploy/local/kafka/server.ts';
import { kafkajsApi, RawClient } from './raw-client.ts';

interface Joined {
  errorCode: number;
  memberId: string;
  generationId: number;
}
interface Member {
  readonly client: RawClient;
  readonly memberId: string;
  readonly generationId: number;
}

const groupId = 'g';
const joinGroup = kafkajsApi<object, Joined>('joinGroup', 3);
const syncGroup = kafkajsApi<object, { errorCode: number; memberAssignment: Buffer }>('syncGroup', 1);
const heartbeat = kafkajsApi<object, { errorCode: number }>('heartbeat', 1);
const offsetCommit = kafkajsApi<object, { responses: { partitions: { errorCode: number }[] }[] }>('offsetCommit', 4);

suite('A member that falls silent', () => {
  let server: KafkaServer;

  before(async () => {
    server = await openKafkaServer({ initialRebalanceDelayMs: 0 });
    const admin = new Kafka({ brokers: [server.address], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: 't', numPartitions: 1 }] });
    await admin.disconnect();
  });
  after(() => server.close());

  const join = async (sessionTimeout: number): Promise<Member> => {
    const client = await RawClient.open(server.address);
    const groupProtocols = [{ name: 'p', metadata: Buffer.from('topics') }];
    const request = {
      groupId,
      sessionTimeout,
      rebalanceTimeout: 60_000,
      memberId: '',
      protocolType: 'consumer',
      groupProtocols,
    };
    const { errorCode: code, memberId, generationId } = await client.call(joinGroup, request);
    assert.equal(code, errorCode.none);
    const member = { client, memberId, generationId };
    const groupAssignment = [{ memberId, memberAssignment: Buffer.from('all') }];
    const synced = await client.call(syncGroup, { groupId, generationId, memberId, groupAssignment });
    assert.equal(String(synced.memberAssignment), 'all');
    return member;
  };
  const beat = async ({ client, memberId, generationId }: Member): Promise<number> => {
    const bytes = await RawClient.encode(heartbeat.request({ groupId, memberId, groupGenerationId: generationId }));
    return (await client.exchange(bytes)).readInt16BE(4);
  };
  const commit = async ({ client, memberId }: Member, groupGenerationId: number): Promise<number | undefined> => {
    const topics = [{ topic: 't', partitions: [{ partition: 0, offset: '5', metadata: '' }] }];
    const answer = await client.call(offsetCommit, { groupId, groupGenerationId, memberId, retentionTime: -1, topics });
    return answer.responses[0]?.partitions[0]?.errorCode;
  };

  test('is expelled when its session is over, and can neither heartbeat nor commit when it wakes', async () => {
    const zombie = await join(200);
    assert.equal(await commit(zombie, zombie.generationId), errorCode.none);
    // The second member's join is answered only once the first has come back or was expelled.
    const heir = await join(30_000);
    assert.equal(heir.generationId, zombie.generationId + 1);
    assert.equal(await beat(zombie), errorCode.unknownMemberId);
    assert.equal(await commit(zombie, zombie.generationId), errorCode.unknownMemberId);
    assert.equal(await commit(heir, zombie.generationId), errorCode.illegalGeneration);
    assert.equal(await commit(heir, heir.generationId), errorCode.none);
    zombie.client.close();
    heir.client.close();
  });

  test('does not keep close() waiting, nor does a fetch', async () => {
    const other = await openKafkaServer();
    const kafka = new Kafka({ brokers: [other.address], logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: 't', numPartitions: 1 }] });
    await admin.disconnect();
    const fetch = kafkajsApi<object, unknown>('fetch', 11);
    const client = await RawClient.open(other.address);
    const partitions = [{ partition: 0, fetchOffset: 0, maxBytes: 1000 }];
    const topics = [{ topic: 't', partitions }];
    const request = { replicaId: -1, maxWaitTime: 60_000, minBytes: 1, maxBytes: 1000, isolationLevel: 0, topics };
    const cut = assert.rejects(client.call(fetch, request), /closed the connection/);
    await other.close();
    await cut;
  });
});
