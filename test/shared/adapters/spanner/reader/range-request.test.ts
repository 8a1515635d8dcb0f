import assert from 'node:assert/strict';
import { test } from 'node:test';
import { protos } from '@google-cloud/spanner';
import type { RangeRead } from '../../../../../shared/adapters/spanner/reader/range-read.ts';
import { rangeRequest } from '../../../../../shared/adapters/spanner/reader/range-request.ts';
import type { KeyColumn } from '../../../../../shared/model/epochs/key.ts';

const { ReadRequest, ExecuteSqlRequest } = protos.google.spanner.v1;

const read: RangeRead = {
  table: 'Flights',
  columns: ['Id', 'Delay'],
  keyLength: 1,
  range: { from: ['a'], to: ['m'] },
  readTimestamp: '2026-11-21T07:00:00.000000001Z',
  blockRows: 8,
};
const key: readonly KeyColumn[] = [{ name: 'Id', code: 'STRING', descending: false }];

test('rangeRequest() sends priority, tag and directed reads, as the official client decodes them', () => {
  const replicas = { include: [{ location: 'us-east1', type: 'read-only' }, { type: 'read-write' }] } as const;
  const options = { priority: 'high', tag: 'feed_delays', replicas } as const;
  const plain = rangeRequest({ ...read, options }, 's');
  assert.equal(plain.method, 'StreamingRead');
  const filtered = rangeRequest({ ...read, options, query: { where: 'Delay > 0', key } }, 's');
  assert.equal(filtered.method, 'ExecuteStreamingSql');
  for (const sent of [ReadRequest.decode(plain.bytes), ExecuteSqlRequest.decode(filtered.bytes)]) {
    const { requestOptions, directedReadOptions, transaction, session } = sent.toJSON();
    assert.deepEqual(requestOptions, { priority: 'PRIORITY_HIGH', requestTag: 'feed_delays' });
    assert.deepEqual(directedReadOptions, {
      includeReplicas: {
        replicaSelections: [{ location: 'us-east1', type: 'READ_ONLY' }, { type: 'READ_WRITE' }],
      },
    });
    assert.deepEqual(transaction.singleUse.readOnly.readTimestamp, { seconds: '1795244400', nanos: 1 });
    assert.equal(session, 's');
  }
});

test('rangeRequest() asks with low priority and of any replica unless it is told otherwise', () => {
  const sent = ReadRequest.decode(rangeRequest(read, 's').bytes).toJSON();
  assert.deepEqual(sent.requestOptions, { priority: 'PRIORITY_LOW' });
  assert.equal(sent.directedReadOptions, undefined);
  assert.deepEqual(sent.keySet, {
    ranges: [{ startClosed: { values: [{ stringValue: 'a' }] }, endOpen: { values: [{ stringValue: 'm' }] } }],
  });
  const away = { ...read, options: { replicas: { exclude: [{ location: 'us-west1' }] } } };
  assert.deepEqual(ReadRequest.decode(rangeRequest(away, 's').bytes).toJSON().directedReadOptions, {
    excludeReplicas: { replicaSelections: [{ location: 'us-west1' }] },
  });
});

test('rangeRequest() binds the keys of a filtered range as parameters, whatever they hold', () => {
  const query = { where: "Delay > 0 AND Id != ')'", key };
  const range = { from: ["a' OR TRUE --"], to: ['m'] };
  const sent = ExecuteSqlRequest.decode(rangeRequest({ ...read, range, query }, 's').bytes).toJSON();
  assert.match(sent.sql, /^SELECT `Id`, `Delay` FROM `Flights` WHERE \(Delay > 0 AND Id != '\)'\n\) AND /);
  assert.match(sent.sql, / ORDER BY `Id`$/);
  assert.deepEqual(sent.params, {
    fields: { f0: { stringValue: "a' OR TRUE --" }, t0: { stringValue: 'm' } },
  });
});
