import { existsSync } from 'node:fs';

/** Where Chromium is: CHROMIUM_PATH, or where systems put it. */
export function findChromium(): string {
  const known = [process.env.CHROMIUM_PATH, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
  const found = known.find((path) => path !== undefined && existsSync(path));
  if (found === undefined) {
    throw new Error('No Chromium was found. Install it (apt-get install chromium), or name one in CHROMIUM_PATH.');
  }
  return found;
}
