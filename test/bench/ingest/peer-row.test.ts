import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { timestampPattern } from '../../../shared/model/events/values/time-pattern.ts';
import { peerRow } from './peer-row.ts';

const read = timestampPattern('yyyy/MM/dd HH:mm', 'America/Chicago');

test('peerRow() maps a flight to the row that our pipeline makes of it', () => {
  const event = { date: '2001/07/01 00:47', delay: -3, distance: 405, origin: 'MDW', destination: 'MCI' };
  assert.deepEqual(peerRow(Buffer.from('1'), Buffer.from(JSON.stringify(event))), {
    FlightId: '1',
    DepartedAt: '2001-07-01T05:47:00.000Z',
    DelayMinutes: -3,
    DistanceMiles: 405,
    Origin: 'MDW',
    Destination: 'MCI',
  });
});

test('peerRow() reads local times as our pipeline does, away from the hours in which clocks change', () => {
  const minutes = fc.integer({ min: Date.UTC(2001, 0, 1) / 60_000, max: Date.UTC(2001, 11, 31) / 60_000 });
  fc.assert(
    fc.property(minutes, (minute) => {
      const local = new Date(minute * 60_000).toISOString();
      fc.pre(!local.startsWith('2001-04-01') && !local.startsWith('2001-10-28'));
      const date = local.slice(0, 16).replaceAll('-', '/').replace('T', ' ');
      const row = peerRow(Buffer.from('1'), Buffer.from(JSON.stringify({ date })));
      assert.equal(Date.parse(String(row.DepartedAt)), Date.parse(read(date) ?? ''));
    }),
  );
});
