import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readTraceparent, traceContexts } from '../../../../../shared/model/events/records/trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

const headers = (name: string, text: string) => ({ headers: [{ name, value: Buffer.from(text) }] });

test('readTraceparent() reads what W3C says, and what a later version may add', () => {
  assert.deepEqual(readTraceparent(`00-${TRACE}-${SPAN}-01`), { traceId: TRACE, spanId: SPAN, traceFlags: 1 });
  assert.deepEqual(readTraceparent(`00-${TRACE}-${SPAN}-02`), { traceId: TRACE, spanId: SPAN, traceFlags: 0 });
  assert.deepEqual(readTraceparent(`cc-${TRACE}-${SPAN}-01-more`), { traceId: TRACE, spanId: SPAN, traceFlags: 1 });
});

test('readTraceparent() takes nothing else', () => {
  for (const text of [
    '',
    `ff-${TRACE}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE}-${SPAN}`,
    ` 00-${TRACE}-${SPAN}-01`,
  ]) {
    assert.equal(readTraceparent(text), undefined, text);
  }
  fc.assert(fc.property(fc.string(), (text) => readTraceparent(text) === undefined));
});

test('traceContexts() finds each trace once, under either name, and no more than are wanted', () => {
  const other = `00-${TRACE}-${'1'.repeat(16)}-00`;
  const records = [
    { headers: [] },
    headers('traceparent', `00-${TRACE}-${SPAN}-01`),
    headers('traceparent', `00-${TRACE}-${SPAN}-01`),
    headers('googclient_traceparent', other),
    headers('traceparent', 'x'.repeat(100_000)),
    headers('Traceparent', `00-${TRACE}-${'2'.repeat(16)}-01`),
  ];
  assert.deepEqual(
    traceContexts(records, 10).map(({ spanId }) => spanId),
    [SPAN, '1'.repeat(16)],
  );
  assert.equal(traceContexts(records, 1).length, 1);
});
