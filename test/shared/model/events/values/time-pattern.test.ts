import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { datePattern, timestampPattern } from '../../../../../shared/model/events/values/time-pattern.ts';

const chicago = timestampPattern('yyyy/MM/dd HH:mm', 'America/Chicago');

test('timestampPattern() reads local times of a zone, in winter and in summer', () => {
  assert.equal(chicago('2001/01/01 00:47'), '2001-01-01T06:47:00Z');
  assert.equal(chicago('2001/07/01 00:47'), '2001-07-01T05:47:00Z');
});

test('timestampPattern() reads times that exist twice or not at all with the offset before the change', () => {
  assert.equal(chicago('2001/04/01 01:59'), '2001-04-01T07:59:00Z');
  assert.equal(chicago('2001/04/01 02:30'), '2001-04-01T08:30:00Z', 'does not exist: 03:30 by the clock');
  assert.equal(chicago('2001/04/01 03:00'), '2001-04-01T08:00:00Z');
  assert.equal(chicago('2001/10/28 01:30'), '2001-10-28T06:30:00Z', 'exists twice: the first');
  assert.equal(chicago('2001/10/28 02:00'), '2001-10-28T08:00:00Z');
});

test('timestampPattern() gives back the local time that ICU shows for the instant', () => {
  const zones = fc.constantFrom(
    'America/Chicago',
    'Asia/Kathmandu',
    'Australia/Lord_Howe',
    'Europe/Dublin',
    'Africa/Monrovia',
  );
  const instants = fc.integer({ min: Date.UTC(1900, 0, 1) / 60_000, max: Date.UTC(2060, 0, 1) / 60_000 });
  fc.assert(
    fc.property(zones, instants, (zone, minute) => {
      const local = shownIn(zone, minute * 60_000);
      const read = timestampPattern('yyyy-MM-dd HH:mm:ss', zone)(local);
      assert.ok(read);
      assert.equal(shownIn(zone, Date.parse(read)), local);
    }),
  );
});

function shownIn(zone: string, ms: number): string {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
  return format.format(ms).replace(' ', ' ');
}

test('timestampPattern() refuses text that does not follow it, and days that do not exist', () => {
  for (const text of [
    '2001/1/01 00:47',
    '2001/01/01 00:47 ',
    '2001/02/29 00:00',
    '2001/01/01 24:00',
    '',
    '2001-01-01 00:47',
  ]) {
    assert.equal(chicago(text), undefined, text);
  }
});

test('timestampPattern() refuses patterns and zones that it cannot read', () => {
  for (const pattern of ['HH:mm', 'yyyy/MM/dd hh:mm', 'yyyy-MM-dd dd', 'yyyy-MM-dd Z']) {
    assert.throws(() => timestampPattern(pattern, undefined), RangeError, pattern);
  }
  assert.throws(() => timestampPattern('yyyy-MM-dd', 'Mars/Olympus'), RangeError);
  assert.equal(timestampPattern("yyyyMMdd'T'HHmmss.SSS", undefined)('20240229T010203.450'), '2024-02-29T01:02:03.45Z');
  assert.equal(datePattern('dd.MM.yyyy')('29.02.2024'), '2024-02-29');
});
