import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDriver, openKafka, Recorder } from './driver-fixture.ts';

const t0 = { topic: 't', partition: 0 };

test('a partition that stays goes on while the group rebalances, in the middle of its batch', async () => {
  await using kafka = await openKafka();
  const [one, two] = await Promise.all(['wire', 'wire'].map(() => openDriver('wire', kafka.server.address)));
  assert.ok(one && two);
  await kafka.create('t', 2);
  await kafka.send('t', 0, 'a0');
  await kafka.send('t', 1, 'a1');
  const first = new Recorder();
  const release = Promise.withResolvers<void>();
  first.during = () => release.promise;
  await first.subscribe(one, ['t']);
  await first.until('both batches are in hand', () => first.batches.length === 2);
  const second = await new Recorder().subscribe(two, ['t']);
  await second.until('it has one', () => second.held().length === 1);
  const [stayed] = first.assignments.at(-1) ?? [];
  assert.equal(stayed?.kept, true);
  for (const batch of first.batches) {
    const isOurs = batch.partition === stayed.partition;
    if (isOurs) await batch.keepAlive();
    else await assert.rejects(batch.keepAlive(), /no longer ours/);
  }
  release.resolve();
  await kafka.send('t', stayed.partition, 'next');
  await first.until('it goes on', () => first.values(stayed).length === 2);
  assert.equal(first.batches.at(-1)?.fetchedFrom, 1n, 'nothing was fetched twice');
  await Promise.all([first, second].map(({ subscription }) => subscription?.stop()));
  await Promise.all([one.close(), two.close()]);
});

test('a topic that was deleted and made again delivers nothing before it is sought anew', async () => {
  await using kafka = await openKafka();
  const driver = await openDriver('wire', kafka.server.address);
  await kafka.create('t');
  await kafka.send('t', 0, 'old');
  const recorder = await new Recorder().subscribe(driver, ['t']);
  await recorder.until('the old one has come', () => recorder.values().length === 1);
  const before = await driver.topicId('t');
  assert.equal(recorder.batches[0]?.topicId, before);
  recorder.startOf = () => 1n;
  await kafka.admin.deleteTopics({ topics: ['t'] });
  await kafka.create('t');
  await kafka.send('t', 0, 'new 0', 'new 1');
  await recorder.until('the loss is told', () => recorder.lost.length > 0 || recorder.assignments.length > 1);
  recorder.subscription?.seek(t0, 0n);
  await recorder.until('the new ones have come', () => recorder.batches.at(-1)?.nextOffset === 2n);
  const latest = recorder.batches.at(-1);
  assert.notEqual(latest?.topicId, before);
  assert.equal(latest?.topicId, await driver.topicId('t'));
  await recorder.subscription?.stop();
  await driver.close();
});

test('a log that no longer has the position says so, and goes on where it is sought next', async () => {
  await using kafka = await openKafka();
  const driver = await openDriver('wire', kafka.server.address);
  await kafka.create('t');
  await kafka.send('t', 0, 'a', 'b', 'c', 'd');
  // Teaches this client where the topic's leader is.
  await kafka.admin.fetchTopicOffsets('t');
  await kafka.admin.deleteTopicRecords({ topic: 't', partitions: [{ partition: 0, offset: '2' }] });
  const recorder = new Recorder();
  for (const start of [0n, 9n]) {
    recorder.startOf = () => start;
    await recorder.subscribe(driver, ['t'], { group: `g${start}` });
    const count = recorder.lost.length;
    await recorder.until('the loss is told', () => recorder.lost.length > count);
    assert.deepEqual(recorder.lost.at(-1), t0);
    recorder.subscription?.seek(t0, 2n);
    await recorder.until('the rest has come', () => recorder.values().length === 2);
    assert.deepEqual(recorder.values(), ['c', 'd']);
    await recorder.subscription?.stop();
    recorder.batches.length = 0;
  }
  await driver.close();
});

test('a pattern takes in topics that are created while it runs', async () => {
  await using kafka = await openKafka();
  const driver = await openDriver('wire', kafka.server.address);
  await kafka.create('orders-a');
  const recorder = await new Recorder().subscribe(driver, /^orders-/, { sessionTimeoutMs: 1_000 });
  await recorder.until('it has one', () => recorder.held().length === 1);
  await kafka.create('orders-b', 2);
  await recorder.until('it has three', () => recorder.held().length === 3);
  assert.deepEqual(
    recorder.assignments
      .at(-1)
      ?.map(({ kept }) => kept)
      .sort(),
    [false, false, true],
  );
  await kafka.send('orders-b', 1, 'new');
  await recorder.until('the new one delivers', () => recorder.values().includes('new'));
  await recorder.subscription?.stop();
  await driver.close();
});

test('what was fetched before a seek is dropped, and one partition is never with its owner twice at a time', async () => {
  await using kafka = await openKafka();
  const driver = await openDriver('wire', kafka.server.address);
  await kafka.create('t');
  for (let at = 0; at < 10; at++) await kafka.send('t', 0, `v${at}`);
  const recorder = new Recorder();
  let inHand = 0;
  let seeks = 0;
  recorder.during = async (batch) => {
    inHand += 1;
    assert.equal(inHand, 1);
    if (seeks++ < 5) recorder.subscription?.seek(t0, BigInt(seeks));
    await new Promise(setImmediate);
    await batch.keepAlive();
    inHand -= 1;
  };
  await recorder.subscribe(driver, ['t']);
  await recorder.until('all has come', () => seeks > 5 && recorder.batches.at(-1)?.nextOffset === 10n);
  const starts = recorder.batches.map(({ fetchedFrom }) => fetchedFrom);
  assert.deepEqual(starts.slice(0, 6), [0n, 1n, 2n, 3n, 4n, 5n]);
  await recorder.subscription?.stop();
  await driver.close();
});

test('many records and large ones come in bounded batches, none left out', async () => {
  await using kafka = await openKafka();
  const driver = await openDriver('wire', kafka.server.address);
  await kafka.create('t');
  await kafka.send('t', 0, ...Array.from({ length: 12_000 }, (_, at) => `${at}`));
  for (const text of ['x', 'y', 'z']) await kafka.send('t', 0, text.repeat(700_000));
  const recorder = await new Recorder().subscribe(driver, ['t']);
  await recorder.until('all has come', () => recorder.batches.at(-1)?.nextOffset === 12_003n);
  const records = recorder.batches.flatMap((batch) => batch.records);
  assert.deepEqual(
    records.map(({ offset }) => Number(offset)),
    Array.from({ length: 12_003 }, (_, at) => at),
  );
  assert.ok(recorder.batches.every((batch) => batch.records.length <= 10_000));
  await recorder.subscription?.stop();
  await driver.close();
});

test('an error of the owner ends the subscription, and stop() leaves the group at once', async () => {
  await using kafka = await openKafka();
  const driver = await openDriver('wire', kafka.server.address);
  await kafka.create('t');
  await kafka.send('t', 0, 'a');
  const recorder = new Recorder();
  recorder.during = () => Promise.reject(new Error('the owner failed'));
  await recorder.subscribe(driver, ['t']);
  await assert.rejects(
    recorder.until('it ends', () => false),
    /the owner failed/,
  );
  await recorder.subscription?.stop();
  const { groups } = await kafka.admin.describeGroups(['g']);
  assert.deepEqual(groups[0]?.members, []);
  await driver.close();
});

test('an earlier member whose heartbeats stopped is told that it has nothing', async () => {
  await using kafka = await openKafka();
  const driver = await openDriver('wire', kafka.server.address);
  await kafka.create('t');
  const recorder = await new Recorder().subscribe(driver, ['t'], { sessionTimeoutMs: 300 });
  await recorder.until('it has one', () => recorder.held().length === 1);
  await kafka.server.close();
  await recorder.until('it has none', () => recorder.held().length === 0);
  await recorder.subscription?.stop();
  await driver.close();
});

test('a member waits for those that share partitions out in another way, and takes over when they have left', async () => {
  await using kafka = await openKafka();
  const [old, ours] = [
    await openDriver('kafkajs', kafka.server.address),
    await openDriver('wire', kafka.server.address),
  ];
  await kafka.create('t', 2);
  const before = await new Recorder().subscribe(old, ['t']);
  await before.until('it has all', () => before.held().length === 2);
  const after = await new Recorder().subscribe(ours, ['t']);
  await kafka.send('t', 0, 'for the old one');
  await before.until('it goes on undisturbed', () => before.values().length === 1);
  assert.deepEqual(after.assignments, []);
  await before.subscription?.stop();
  await after.until('it has all', () => after.held().length === 2);
  await after.subscription?.stop();
  await Promise.all([old.close(), ours.close()]);
});
