import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  newestDeadLetters,
  previewBytes,
  viewDeadLetter,
} from '../../../../functions/dashboard/view/dead-letters-view.ts';
import { deadLetter } from '../example-sources.ts';

test('previewBytes() shows text as text and other bytes by their numbers', () => {
  assert.equal(previewBytes(Buffer.from('{"name":"Málaga"}')), '{"name":"Málaga"}');
  assert.equal(previewBytes(Buffer.from([0x7b, 0xff, 0x00, 0x41])), '{\\xff\\x00A');
  assert.equal(previewBytes(Buffer.from('a\u202eb')), 'a\\u{202e}b');
});

test('previewBytes() leaves out a last character that was cut, and no other', () => {
  assert.equal(previewBytes(Buffer.from('né').subarray(0, 2)), 'n');
});

test('previewBytes() is bounded and visible whatever the bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 160 }), (bytes) => {
      const preview = previewBytes(bytes);
      assert.ok([...preview].length <= 120);
      assert.doesNotMatch(preview, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    }),
  );
});

test('viewDeadLetter() names Kafka records by coordinates and Pub/Sub events by id', () => {
  const event = { topic: undefined, partition: undefined, offset: undefined, eventId: '4711' };
  assert.equal(viewDeadLetter(deadLetter('a', 0), undefined, undefined).coordinates, 'flights / 0 / 17');
  assert.equal(viewDeadLetter(deadLetter('a', 0, event), undefined, undefined).coordinates, 'event 4711');
  assert.equal(
    viewDeadLetter(deadLetter('a', 0, { reason: 'x'.repeat(4_096) }), undefined, undefined).reason.length,
    300,
  );
});

test('viewDeadLetter() shows nothing of a record whose pipeline writes sensitive columns', () => {
  const letter = deadLetter('a', 0, { reason: 'Column Age: "Ada Lovelace" is no INT64' });
  const head = {
    pipeline: letter.pipeline,
    id: letter.id,
    key: Buffer.from('7'),
    value: Buffer.from('{"age":"Ada Lovelace"}'),
  };
  const hidden = viewDeadLetter(letter, head, { key: false, fields: new Set(['age']), headers: new Set() });
  assert.deepEqual([hidden.reason, hidden.preview, hidden.key], ['Column Age: (masked)', '(masked)', '(masked)']);
  assert.doesNotMatch(JSON.stringify(hidden), /Lovelace/);
  assert.equal(viewDeadLetter(letter, head, { key: true, fields: new Set(), headers: new Set() }).key, '7');
});

test('newestDeadLetters() is in order of time, then of id, at most as many as asked for', () => {
  const letters = [deadLetter('b', 5), deadLetter('a', 5), deadLetter('c', 1), deadLetter('d', 0, { redriven: true })];
  assert.deepEqual(
    newestDeadLetters(letters, 2).map(({ id }) => id),
    ['c', 'a'],
  );
});
