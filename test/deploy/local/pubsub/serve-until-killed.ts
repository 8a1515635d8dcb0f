import { openPubSubServer } from '../../../../deploy/local/pubsub/server.ts';

const [, , dir, port] = process.argv;
if (dir === undefined) throw new Error('Usage: serve-until-killed.ts DIR [PORT]');
const server = await openPubSubServer({ dir, port: Number(port ?? 0) });
process.stdout.write(`${server.address}\n`);
