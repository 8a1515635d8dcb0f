import { openDelayProxy } from './delay-proxy.ts';

/** A delay proxy in a process of its own: its work is nobody's CPU time. Prints its address as one line of JSON. */
const [target = '', oneWayMs = ''] = process.argv.slice(2);
const { address } = await openDelayProxy(target, Number(oneWayMs));
process.stdout.write(`${JSON.stringify({ address })}\n`);
