import { openKafkaServer } from '../../../../deploy/local/kafka/server.ts';

/** A broker in its own process, to be killed: `node serve.ts DIR` prints the address. */
const dir = process.argv[2];
if (dir === undefined) throw new Error('Usage: node serve.ts DIR');
const server = await openKafkaServer({ dir });
console.log(server.address);
