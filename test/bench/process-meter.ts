import { readFileSync } from 'node:fs';

/** Linux counts CPU time of other processes in hundredths of a second. */
const TICKS_PER_SECOND = 100;
/** Of `/proc/PID/stat`, counted behind the name in brackets. */
const USER_TICKS = 11;
const SYSTEM_TICKS = 12;

/**
 * CPU time that another process has taken so far, all of its threads, in seconds.
 *
 * @throws {Error} when the process is gone, or on a system without `/proc`
 */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[USER_TICKS]) + Number(fields[SYSTEM_TICKS])) / TICKS_PER_SECOND;
}

/** The most memory that another process has held so far, in MB. */
export function peakRssMb(pid: number): number {
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return (Number(kib) * 1024) / 1_000_000;
}

/** CPU time of this process so far, all of its threads, in seconds. */
export function ownCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** The most memory that this process has held so far, in MB. */
export function ownPeakRssMb(): number {
  return (process.resourceUsage().maxRSS * 1024) / 1_000_000;
}
