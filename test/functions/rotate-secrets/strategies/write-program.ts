import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Keeps the values that were set in the file that its argument names, one a line, and refuses to try others. */
export const KEEPING_PROGRAM = `
const { readFileSync, writeFileSync } = require('node:fs');
const file = process.argv[2];
const { step, value } = JSON.parse(readFileSync(0, 'utf8'));
const others = readFileSync(file, 'utf8').split('\\n').filter((line) => line !== value && line !== '');
if (step === 'test') process.exit(readFileSync(file, 'utf8').split('\\n').includes(value) ? 0 : 65);
if (step === 'set') writeFileSync(file, [...others, value, ''].join('\\n'));
if (step === 'revoke') writeFileSync(file, [...others, ''].join('\\n'));
process.stdout.write('{}');
`;

/** Writes an executable of Node's. @returns its path */
export function writeProgram(dir: string, source: string): string {
  const path = join(dir, 'program.cjs');
  writeFileSync(path, `#!${process.execPath}\n${source}`, { mode: 0o700 });
  return path;
}
