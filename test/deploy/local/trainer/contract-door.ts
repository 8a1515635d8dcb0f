import { createServer, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { type Contract, type Exchange, readContract } from './openapi-contract.ts';

/** Stands before a trainer, passes everything on, and holds it against the contract's document. */
export interface ContractDoor {
  url: string;
  /** `operationId status` of all that passed. */
  seen: Set<string>;
  /** Answers that the document does not have, and requests that were taken though it does not have them. */
  problems: string[];
  /** Requests that the document does not have, whatever became of them. */
  requestProblems: string[];
  close(): Promise<void>;
}

export async function openContractDoor(
  upstream: string,
  contract: Contract = readContract(),
  seen: Set<string> = new Set(),
): Promise<ContractDoor> {
  const problems: string[] = [];
  const requestProblems: string[] = [];
  const note = (exchange: Exchange): void => {
    const verdict = contract.judge(exchange);
    problems.push(...verdict.answerProblems);
    requestProblems.push(...verdict.requestProblems);
    if (exchange.status < 300) problems.push(...verdict.requestProblems.map((problem) => `${problem}, and was taken`));
    if (verdict.name !== undefined) seen.add(verdict.name);
  };
  const server = createServer((incoming, outgoing) => {
    void passOn(incoming, upstream).then(
      (exchange) => {
        note(exchange);
        outgoing.writeHead(exchange.status, exchange.responseHeaders).end(exchange.responseBody);
      },
      () => outgoing.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The door has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    seen,
    problems,
    requestProblems,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function passOn(incoming: IncomingMessage, upstream: string): Promise<Exchange> {
  const { method = '', url: target = '/' } = incoming;
  const requestBody = await bytesOf(incoming);
  const requestHeaders = oneText(incoming.headers);
  const { host: _, connection: __, ...headers } = requestHeaders;
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    // Not by fetch, which would mend the address; and with no connection kept, so that the trainer can close.
    const asked = request(upstream + target, { method, headers, agent: false }, resolve);
    asked.on('error', reject).end(requestBody);
  });
  const responseBody = await bytesOf(answer);
  const { statusCode: status = 0 } = answer;
  const { 'transfer-encoding': ___, connection: ____, ...responseHeaders } = oneText(answer.headers);
  return { method, target, requestHeaders, requestBody, status, responseHeaders, responseBody };
}

function oneText(headers: IncomingHttpHeaders): Record<string, string> {
  const entries = Object.entries(headers).map(([name, value]) => [name, [value ?? ''].flat().join(', ')]);
  return Object.fromEntries(entries);
}

async function bytesOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}
