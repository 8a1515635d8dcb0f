import { type ExecFileSyncOptions, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const TIMEOUT_MS = 300_000;

/** Installs Debian's Chromium where there is none and we may. @throws {Error} where we may not */
export function ensureChromium(): void {
  if (places.some((path) => existsSync(path))) return;
  if (process.getuid?.() !== 0)
    throw new Error('There is no Chromium here: install one, or run this as root on Debian');
  const options: ExecFileSyncOptions = { stdio: ['ignore', 'ignore', 'inherit'], timeout: TIMEOUT_MS };
  execFileSync('apt-get', ['update', '-qq'], options);
  execFileSync('apt-get', ['install', '-qq', '-y', '--no-install-recommends', 'chromium'], options);
}
