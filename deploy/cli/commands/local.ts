import { once } from 'node:events';
import { openLocalCloud } from '../../local/cloud.ts';
import { identities } from '../stack/identities.ts';

/** Runs the laptop's cloud until SIGTERM or Ctrl-C. */
export async function local(options: { readonly data?: string; readonly json?: boolean }): Promise<void> {
  const ended = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  const cloud = await openLocalCloud(options.data === undefined ? {} : { dir: options.data });
  const laptop = await cloud.identity.openMetadataServer(identities.laptop);
  // Who sits before it owns the project.
  cloud.identity.letManageKeys(`serviceAccount:${identities.laptop}`, '*');
  const env = { ...cloud.env, GCE_METADATA_HOST: laptop.host };
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ ready: true, pid: process.pid, env })}\n`);
  } else {
    const exports = Object.entries(env).map(([name, value]) => `export ${name}=${value}`);
    process.stdout.write(
      `The laptop's cloud is ready. Point clients at it:\n\n${exports.join('\n')}\n\nCtrl-C ends it.\n`,
    );
  }
  await ended;
  await cloud.close();
}
