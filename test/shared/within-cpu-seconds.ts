import assert from 'node:assert/strict';

/**
 * Runs something that must be bounded, and fails when it took more of the processor than that: not of the clock, which runs on while
 * others have the machine. What is not bounded takes minutes, or never ends; so be generous.
 */
export function withinCpuSeconds(most: number, run: () => void): void {
  const before = process.threadCpuUsage();
  run();
  const { user, system } = process.threadCpuUsage(before);
  const seconds = (user + system) / 1e6;
  assert.ok(seconds < most, `it took ${seconds} s of the processor, more than ${most} s`);
}
