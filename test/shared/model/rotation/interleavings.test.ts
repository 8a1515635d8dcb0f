import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isDeciding, isOver } from '../../../../shared/model/rotation/rotation.ts';
import { rotator, times, World } from './world.ts';

type Running = Generator<string, void, void>;

/** What happens next in a history of rotations. */
type Happening =
  | {
      readonly kind: 'start';
      readonly id: number;
      readonly back: boolean;
      readonly now: boolean;
      readonly breaks: boolean;
    }
  | { readonly kind: 'step'; readonly which: number; readonly count: number }
  | { readonly kind: 'crash'; readonly which: number }
  | { readonly kind: 'time'; readonly ms: number };

const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('start' as const),
      id: fc.nat(5),
      back: fc.nat(5).map((n) => n === 0),
      now: fc.nat(7).map((n) => n === 0),
      breaks: fc.nat(4).map((n) => n === 0),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('step' as const), which: fc.nat(4), count: fc.nat(8) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('crash' as const), which: fc.nat(4) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.constantFrom(5, 25, 60, 150, 1_500) }),
  },
);

/** What must hold at every moment, whatever has happened. */
function checkMoment(world: World): void {
  assert.ok(world.works(world.aliases.current), `current names version ${world.aliases.current}, which does not work`);
  assert.ok(!world.broken.has(world.aliases.current ?? 0), 'current names a version that failed its test');
  assert.ok(world.rotations().filter(isDeciding).length <= 1, 'two rotations decide at once');
  for (const { step, fromVersion, retireAtMs } of world.rotations()) {
    const isInOverlap = step === 'retire' && world.nowMs < (retireAtMs ?? 0) && fromVersion !== undefined;
    if (isInOverlap) assert.ok(world.works(fromVersion), `version ${fromVersion} ended within its overlap`);
  }
}

/** Whoever comes next finds everything that was left, and time passes. */
function settle(world: World): void {
  for (let turn = 0; turn < 40; turn++) {
    world.nowMs += 150;
    for (const { id, secret, kind, step } of world.rotations()) {
      if (step === 'closed' || step === 'failed' || step === 'skipped') continue;
      run(rotator(world, 99, { secret, id, kind, now: false }), world);
    }
  }
}

function run(running: Running, world: World): void {
  while (!running.next().done) checkMoment(world);
  checkMoment(world);
}

function checkEnd(world: World): void {
  assert.deepEqual(
    world.rotations().filter((rotation) => !isOver(rotation)),
    [],
  );
  const { current, previous, ...others } = world.aliases;
  assert.deepEqual(others, {}, 'an alias is left');
  const enabled = world.versions.filter(({ state }) => state === 'enabled').map(({ number }) => number);
  assert.deepEqual(enabled, [current], 'a version is left that nobody uses');
  assert.equal(world.target.size, 1, 'a user is left in the target system');
  assert.ok(previous === undefined || world.versionOf(previous)?.state !== 'enabled');
}

function play(history: readonly Happening[]): World {
  const world = new World();
  const running: Running[] = [];
  let owner = 0;
  for (const happens of history) {
    const which = 'which' in happens ? happens.which % Math.max(1, running.length) : 0;
    if (happens.kind === 'start') {
      world.breakNext = happens.breaks;
      owner += 1;
      const kind = happens.back ? 'back' : 'rotate';
      running.push(rotator(world, owner, { secret: 's', id: `r${happens.id}${kind}`, kind, now: happens.now }));
    } else if (happens.kind === 'crash') running.splice(which, 1);
    else if (happens.kind === 'time') world.nowMs += happens.ms;
    else {
      for (let count = 0; count <= happens.count; count++) {
        if (running[which]?.next().done) running.splice(which, 1);
        checkMoment(world);
      }
    }
    checkMoment(world);
  }
  return world;
}

test('any interleaving, crash and repetition of rotations leaves a working current at every moment and no orphan', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 60 }), (history) => {
      const world = play(history);
      settle(world);
      checkEnd(world);
    }),
    { numRuns: 2_000 },
  );
});

test('a rotation that is cut at any point is gone on with to the same end', () => {
  for (let cut = 0; ; cut++) {
    const world = new World();
    const first = rotator(world, 1, { secret: 's', id: 'r', kind: 'rotate', now: false });
    let isWhole = false;
    for (let done = 0; done < cut && !isWhole; done++) isWhole = first.next().done ?? false;
    world.nowMs += times.overlapMs / 2;
    run(rotator(world, 2, { secret: 's', id: 'r', kind: 'rotate', now: false }), world);
    const { current = 0 } = world.aliases;
    assert.ok(current > 1, `cut after ${cut} points`);
    assert.deepEqual(world.aliases, { current, previous: 1 });
    assert.deepEqual([...world.target.keys()].sort(), ['a', 'b']);
    settle(world);
    checkEnd(world);
    if (isWhole) return;
  }
});

test('a pending version that somebody left does not stand in the way of the next rotation', () => {
  const world = new World();
  world.versions.push({ number: 2, state: 'enabled', user: 'b' });
  world.aliases = { current: 1, pending: 2 };
  run(rotator(world, 1, { secret: 's', id: 'r', kind: 'rotate', now: false }), world);
  assert.deepEqual(world.aliases, { current: 3, previous: 1 });
  assert.equal(world.versionOf(2)?.state, 'destroyed');
});

test('a version that fails its test leaves current as it was, and nothing behind', () => {
  const world = new World();
  world.breakNext = true;
  run(rotator(world, 1, { secret: 's', id: 'r', kind: 'rotate', now: false }), world);
  assert.deepEqual(world.aliases, { current: 1 });
  assert.equal(world.rotations()[0]?.step, 'failed');
  assert.equal(world.rotations()[0]?.failedStep, 'test');
  checkEnd(world);
});

test('going back makes the version before current again, and takes the newer one away after the overlap', () => {
  const world = new World();
  run(rotator(world, 1, { secret: 's', id: 'r', kind: 'rotate', now: false }), world);
  run(rotator(world, 1, { secret: 's', id: 'b', kind: 'back', now: false }), world);
  assert.deepEqual(world.aliases, { current: 1, previous: 2 });
  settle(world);
  checkEnd(world);
  assert.equal(world.aliases.current, 1);
});

test('many requests at once are one rotation: the others are skipped, and no more than twenty of them are written', () => {
  const world = new World();
  const ask = (id: number) => run(rotator(world, id, { secret: 's', id: `r${id}`, kind: 'rotate', now: false }), world);
  for (let id = 0; id < 500; id++) ask(id);
  assert.equal(world.versions.length, 2);
  assert.equal(world.rotations().length, 21);
  settle(world);
  for (let id = 500; id < 1_000; id++) ask(id);
  assert.equal(world.versions.length, 3, 'the next one is not kept from rotating');
  assert.equal(world.rotations().length, 42);
});

test('a rotation stops cleanly wherever a person moves current meanwhile, and leaves what they chose', () => {
  let cut = 1;
  for (let isWhole = false; !isWhole; cut++) {
    const world = new World();
    world.versions.push({ number: 2, state: 'enabled', user: 'b' });
    world.aliases = { current: 1, previous: 2 };
    world.target.set('b', 2);
    const running = rotator(world, 1, { secret: 's', id: 'r', kind: 'rotate', now: false });
    let at = '';
    for (let done = 0; done < cut && !isWhole; done++) {
      const next = running.next();
      isWhole = next.done ?? false;
      if (!next.done) at = next.value;
    }
    // Between a look and its effect lies one call, in which nobody can be waited for.
    if (at === 'seen' || !world.works(2) || world.aliases.current !== 1) continue;
    world.moveByHand({ ...world.aliases, current: 2 });
    for (const _ of running) assert.equal(world.aliases.current, 2, `cut after ${cut} points`);
    settle(world);
    assert.equal(world.aliases.current, 2);
    assert.ok(world.works(2));
    assert.equal(world.rotations()[0]?.step, 'failed');
  }
  assert.ok(cut > 5);
});
