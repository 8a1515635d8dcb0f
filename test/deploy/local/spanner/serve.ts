import { openSpannerServer } from '../../../../deploy/local/spanner/server.ts';

/** A server in a process of its own, to be killed: `node serve.ts DIR` prints its address. */
const [dir = ''] = process.argv.slice(2);
const { address } = await openSpannerServer({ dir });
process.stdout.write(`${address}\n`);
