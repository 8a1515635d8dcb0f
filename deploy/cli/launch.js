#!/usr/bin/env node
// Starts the command on the Node that package.json pins, whatever Node runs this file.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const MAJOR = '24';
const command = fileURLToPath(new URL('./penstock.ts', import.meta.url));

if (process.versions.node.split('.')[0] === MAJOR) {
  await import('./penstock.ts');
} else {
  const bin = process.platform === 'win32' ? 'node.exe' : 'node';
  const pinned = fileURLToPath(new URL(`../../node_modules/.bin/${bin}`, import.meta.url));
  if (!existsSync(pinned)) {
    console.error(
      `penstock needs Node ${MAJOR} and found ${process.version}. Run \`npm ci\` in the project, which installs it, or install Node ${MAJOR}.`,
    );
    process.exit(2);
  }
  const child = spawn(pinned, [command, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = signal ? 128 + constants.signals[signal] : (code ?? 1);
  });
}
