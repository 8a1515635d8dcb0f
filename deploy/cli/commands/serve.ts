import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildFunctions } from '../../build.ts';
import { type RunningFunction, runFunction } from '../../local/functions/run-function.ts';
import type { Output } from '../output.ts';
import { requireOwn } from '../own-authority.ts';
import { readConfig } from '../read-config.ts';
import { identities } from '../stack/identities.ts';

/**
 * Serves every function behind one port, where policies let one `trigger` each; each runs as its own bundle in its own process, and
 * asks them of every request.
 */
export async function serve(
  options: { readonly config: string; readonly port: number },
  output: Output,
): Promise<void> {
  const ended = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  const { declaration } = await readConfig(options.config, [
    'spanner',
    'kafka',
    'registry',
    'pipelines',
    'feeds',
    'secrets',
  ]);
  const names = readdirSync(resolve(import.meta.dirname, '../../../functions'));
  await requireOwn(
    declaration,
    names.map((name) => ['trigger', { type: 'Function', name }] as const),
  );
  await buildFunctions({ ifStale: true });
  const folder = await mkdtemp(join(tmpdir(), 'penstock-serve-'));
  const declarationPath = join(folder, 'declaration.json');
  await writeFile(declarationPath, JSON.stringify(declaration));
  const running = new Map<string, RunningFunction>();
  const stopAll = async (): Promise<void> => void (await Promise.all([...running.values()].map((one) => one.stop())));
  const server = createServer((incoming, answer) => forward(running, incoming, answer));
  server.listen(options.port, '127.0.0.1');
  try {
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : options.port;
    const url = `http://127.0.0.1:${port}`;
    const laptop = process.env.SPANNER_EMULATOR_HOST ? laptopSettings(process.env) : {};
    for (const name of names) {
      // Tokens are made for the address that callers use.
      const env = { ...laptop, PENSTOCK_DECLARATION: declarationPath, PENSTOCK_AUDIENCE: `${url}/${name}` };
      running.set(name, await runFunction({ name, env, onLine: (line) => output.progress(`${name}  ${line}`) }));
    }
    const text = names.map((name) => `${url}/${name}`).join('\n');
    output.result({ ready: true, pid: process.pid, url, functions: names }, `${text}\n\nCtrl-C ends them.`);
    await ended;
  } finally {
    server.close();
    await stopAll();
    server.closeAllConnections();
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * On a laptop somebody must be let in, and somebody has to stand in the lineage where no metadata server says who: the person at
 * the keyboard.
 */
function laptopSettings(env: NodeJS.ProcessEnv): Record<string, string> {
  return {
    ...(env.PENSTOCK_IDENTITY || env.GCE_METADATA_HOST ? {} : { PENSTOCK_IDENTITY: identities.laptop }),
    ...(env.PENSTOCK_CALLERS ? {} : { PENSTOCK_CALLERS: identities.laptop }),
  };
}

/** `/<function>/rest` → the function's own port, `/rest`. */
function forward(
  running: ReadonlyMap<string, RunningFunction>,
  incoming: IncomingMessage,
  answer: ServerResponse,
): void {
  const [, name = '', rest = ''] = /^\/([^/?]*)(.*)$/s.exec(incoming.url ?? '') ?? [];
  const target = running.get(name);
  if (!target) {
    answer.writeHead(404, { 'content-type': 'application/problem+json' });
    answer.end(JSON.stringify({ title: 'No such function', status: 404, detail: `There is no function ${name}` }));
    return;
  }
  const path = rest.startsWith('/') ? rest : `/${rest}`;
  const outgoing = request(`${target.url}${path}`, { method: incoming.method, headers: incoming.headers }, (reply) => {
    answer.writeHead(reply.statusCode ?? 502, reply.headers);
    reply.pipe(answer);
  });
  outgoing.on('error', (error) => {
    if (answer.headersSent) return answer.destroy();
    answer.writeHead(502, { 'content-type': 'application/problem+json' });
    return answer.end(
      JSON.stringify({ title: 'Bad gateway', status: 502, detail: `${name} did not answer: ${error.message}` }),
    );
  });
  incoming.pipe(outgoing);
}
