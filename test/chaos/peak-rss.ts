import { readFileSync } from 'node:fs';

/** The most memory that a process has held so far, in MB; 0 when it is gone or the system does not say. */
export function peakRssMb(pid: number): number {
  try {
    const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Math.round((Number(kib ?? 0) * 1024) / 1_000_000);
  } catch {
    return 0;
  }
}
