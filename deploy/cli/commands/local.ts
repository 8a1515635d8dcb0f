import { once } from 'node:events';
import { openLocalCloud } from '../../local/cloud.ts';

/** Runs the laptop's cloud until SIGTERM or Ctrl-C. */
export async function local(options: { readonly data?: string; readonly json?: boolean }): Promise<void> {
  const ended = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  const cloud = await openLocalCloud(options.data === undefined ? {} : { dir: options.data });
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ ready: true, pid: process.pid, env: cloud.env })}\n`);
  } else {
    const exports = Object.entries(cloud.env).map(([name, value]) => `export ${name}=${value}`);
    process.stdout.write(
      `The laptop's cloud is ready. Point clients at it:\n\n${exports.join('\n')}\n\nCtrl-C ends it.\n`,
    );
  }
  await ended;
  await cloud.close();
}
