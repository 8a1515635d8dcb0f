import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ProfileNode, readProfile } from './read-profile.ts';

/** What makes Node write a profile of each thread into a folder at its end. */
export function profilingArgs(dir: string): string[] {
  return ['--cpu-prof', `--cpu-prof-dir=${dir}`, '--cpu-prof-interval=500'];
}

/**
 * Reads the profile of the thread that worked most.
 *
 * @throws {Error} when there is none
 */
export function busiestThread(dir: string): ProfileNode {
  const roots = readdirSync(dir).map((file) => readProfile(JSON.parse(readFileSync(join(dir, file), 'utf8'))));
  const [first, ...others] = roots;
  if (!first) throw new Error('The process wrote no profile');
  return others.reduce((most, root) => (root.totalMicros > most.totalMicros ? root : most), first);
}
