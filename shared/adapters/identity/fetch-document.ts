const TIMEOUT_MS = 5_000;

/** What a document of an issuer may cost us. */
export interface DocumentLimits {
  readonly maxBytes: number;
  /** Of the whole answer, its last byte included. */
  readonly timeoutMs?: number;
}

/**
 * Fetches a JSON document from an issuer, which may be hostile: no more than `maxBytes` are read, redirects are not followed,
 * and only HTTPS is spoken, except with this machine.
 *
 * @throws {Error} that names the address and what was wrong with the answer
 */
export async function fetchDocument(
  url: string,
  { maxBytes, timeoutMs = TIMEOUT_MS }: DocumentLimits,
): Promise<unknown> {
  const { protocol, hostname } = new URL(url);
  if (protocol !== 'https:' && !(protocol === 'http:' && hostname === '127.0.0.1')) {
    throw new Error(`${url} is not HTTPS`);
  }
  const signal = AbortSignal.timeout(timeoutMs);
  const answer = await fetch(url, { signal, redirect: 'manual', headers: { accept: 'application/json' } });
  if (answer.status !== 200) {
    await answer.body?.cancel();
    throw new Error(`GET ${url} answered ${answer.status}`);
  }
  const text = await readText(answer, url, maxBytes);
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`GET ${url} answered what is no JSON`);
  }
}

async function readText({ body }: Response, url: string, maxBytes: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop cancels the body, and with it the connection.
  for await (const piece of body ?? []) {
    bytes += piece.length;
    if (bytes > maxBytes) throw new Error(`GET ${url} answered more than ${maxBytes} bytes`);
    pieces.push(piece);
  }
  return new TextDecoder().decode(Buffer.concat(pieces, bytes));
}
