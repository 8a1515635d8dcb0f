import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import * as client from '@platformatic/kafka';
import { type KafkaServer, openKafkaServer } from '../../../../deploy/local/kafka/server.ts';

/** One version of one API in the client: it encodes, parses, and throws on every error code. */
interface ClientApi {
  readonly api: { async(connection: client.Connection, ...parameters: unknown[]): Promise<unknown> };
}

const partition = (more: object) => [{ partitionIndex: 0, partition: 0, currentLeaderEpoch: 0, ...more }];
const topicOf = (name: string, more: object) => [{ name, partitions: partition(more) }];
const onResource = (configs: object[]) => [{ resourceType: 2, resourceName: 't', configurationKeys: null, configs }];
const offsetToCommit = { committedOffset: 1n, committedLeaderEpoch: 0, committedMetadata: 'm' };
const newTopic = (name: string) => [
  { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [{ name: 'retention.ms', value: '-1' }] },
];
const noId = '00000000-0000-0000-0000-000000000000';

/** What to send, by the client's name of the API; every version is sent once. */
const requests: Record<string, (version: number) => unknown[]> = {
  apiVersions: () => ['name', 'version'],
  metadata: () => [['t'], false, false],
  findCoordinator: () => [0, ['g']],
  listOffsets: () => [-1, 0, topicOf('t', { timestamp: -1n })],
  offsetForLeaderEpoch: () => [-1, topicOf('t', { leaderEpoch: 0 })],
  offsetCommit: () => ['g', -1, '', null, topicOf('t', offsetToCommit)],
  offsetFetch: () => [
    [{ groupId: 'g', memberId: null, memberEpoch: -1, topics: [{ name: 't', partitionIndexes: [0] }] }],
    true,
  ],
  createTopics: (version) => [newTopic(`new-${version}`), 1000, false],
  // CreateTopics is spoken from version 2 on, DeleteTopics from 1: each deletes what the next version made.
  deleteTopics: (version) => [[{ name: `new-${version + 1}`, topicId: noId }], 1000],
  createPartitions: (version) => [[{ name: 'grown', count: version + 2, assignments: null }], 1000, false],
  deleteRecords: () => [topicOf('t', { offset: -1n }), 1000],
  describeConfigs: () => [onResource([]), true, true],
  alterConfigs: () => [onResource([{ name: 'retention.ms', value: '5' }]), false],
  incrementalAlterConfigs: () => [onResource([{ name: 'retention.ms', configOperation: 1 }]), false],
  describeGroups: () => [['g'], false],
  listGroups: () => [['EMPTY'], ['classic']],
  describeCluster: () => [false, 1],
  initProducerId: () => [null, 1000, -1n, -1],
};

suite('every version that ApiVersions names', () => {
  let server: KafkaServer;
  let connection: client.Connection;
  const spoken = new Map<string, [from: number, to: number]>();

  const call = async (name: string, version: number, ...parameters: unknown[]): Promise<Record<string, unknown>> => {
    const found = (client as Readonly<Record<string, unknown>>)[`${name}V${version}`] as ClientApi | undefined;
    assert.ok(found, `the client has ${name} version ${version}`);
    return { ...((await found.api.async(connection, ...parameters)) as object) };
  };
  const versionsOf = (name: string): number[] => {
    const [from, to] = spoken.get(name.toLowerCase()) ?? [0, -1];
    assert.ok(to >= from, `${name} is served`);
    return Array.from({ length: to - from + 1 }, (_, at) => from + at);
  };

  before(async () => {
    server = await openKafkaServer({ initialRebalanceDelayMs: 0 });
    connection = new client.Connection('test');
    const [host = '', port] = server.address.split(':');
    await connection.connect(host, Number(port));
    const { apiKeys } = await client.apiVersionsV4.api.async(connection, 'name', 'version');
    for (const { name, minVersion, maxVersion } of apiKeys) {
      spoken.set(name.toLowerCase(), [minVersion, maxVersion]);
    }
    for (const name of ['t', 'grown']) await call('createTopics', 7, newTopic(name), 1000, false);
  });
  after(async () => {
    await connection.close();
    await server.close();
  });

  for (const [name, parametersOf] of Object.entries(requests)) {
    test(`of ${name} is read and answered as the client expects`, async () => {
      for (const version of versionsOf(name)) await call(name, version, ...parametersOf(version));
    });
  }

  test('of Produce appends, and of Fetch gives back what was appended', async () => {
    const { topics } = await client.metadataV12.api.async(connection, ['t'], false, false);
    const topicId = topics[0]?.topicId;
    for (const version of versionsOf('produce')) {
      const message = { topic: 't', partition: 0, value: Buffer.from(`of ${version}`), timestamp: 1n };
      const answer = await call('produce', version, -1, 1000, [message], {});
      const { responses } = answer as { responses: { partitionResponses: { baseOffset: bigint }[] }[] };
      const fetchOffset = responses[0]?.partitionResponses[0]?.baseOffset;
      for (const fetchVersion of versionsOf('fetch')) {
        const partitions = [
          { partition: 0, currentLeaderEpoch: 0, fetchOffset, lastFetchedEpoch: -1, partitionMaxBytes: 1e6 },
        ];
        const topic = fetchVersion >= 13 ? { topicId, partitions } : { topic: 't', topicId: 't', partitions };
        const fetched = await call('fetch', fetchVersion, 0, 1, 1e6, 0, 0, -1, [topic], [], '');
        assert.match(JSON.stringify(fetched, asText), new RegExp(`of ${version}`), `fetch ${fetchVersion}`);
      }
    }
  });

  test('of the group APIs leads a member in and out again', async () => {
    const pick = (name: string, version: number): number => {
      const versions = versionsOf(name);
      return versions[Math.min(version, versions.length - 1)] ?? 0;
    };
    for (const version of versionsOf('joinGroup')) {
      const groupId = `g${version}`;
      const join = (memberId: string): Promise<Record<string, unknown>> =>
        call(
          'joinGroup',
          version,
          groupId,
          6000,
          6000,
          memberId,
          null,
          'consumer',
          [{ name: 'p', metadata: Buffer.from('m') }],
          null,
        );
      const joined = await join('').catch((error: { response: { memberId: string } }) => join(error.response.memberId));
      const { memberId, generationId } = joined as { memberId: string; generationId: number };
      assert.equal(generationId, 1);
      const assignment = Buffer.from('mine');
      const sync = pick('syncGroup', version);
      const synced = await call('syncGroup', sync, groupId, 1, memberId, null, 'consumer', 'p', [
        { memberId, assignment },
      ]);
      assert.deepEqual(synced.assignment, assignment);
      await call('heartbeat', pick('heartbeat', version), groupId, 1, memberId, null);
      await call('leaveGroup', pick('leaveGroup', version), groupId, [
        { memberId, groupInstanceId: null, reason: null },
      ]);
      await call('deleteGroups', pick('deleteGroups', version), [groupId]);
    }
  });

  test('of the transaction APIs leads a transaction to its end', async () => {
    for (const version of versionsOf('endTxn')) {
      const id = `tx${version}`;
      const begun = await call('initProducerId', 4, id, 1000, -1n, -1);
      const { producerId, producerEpoch } = begun as { producerId: bigint; producerEpoch: number };
      const producer = { transactionalId: id, producerId, producerEpoch, verifyOnly: false };
      await call('addPartitionsToTxn', version, [{ ...producer, topics: [{ name: 't', partitions: [0] }] }]);
      await call('addOffsetsToTxn', version, id, producerId, producerEpoch, 'g');
      const offsets = topicOf('t', offsetToCommit);
      await call('txnOffsetCommit', version, id, 'g', producerId, producerEpoch, -1, '', null, offsets);
      await call('endTxn', version, id, producerId, producerEpoch, version % 2 === 0);
    }
  });
});

function asText(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value) {
    return Buffer.from(value.data as number[]).toString();
  }
  return value;
}
