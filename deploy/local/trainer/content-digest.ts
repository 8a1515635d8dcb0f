import { createHash } from 'node:crypto';
import { Problem } from './problem.ts';

/**
 * Checks a body against its `Content-Digest` header and returns its SHA-256 as hexadecimal.
 *
 * Other algorithms beside sha-256 are allowed in the header and not looked at.
 *
 * @throws {Problem} 400 when the header is missing, unreadable or of another body
 * @see https://www.rfc-editor.org/rfc/rfc9530
 */
export function checkContentDigest(header: string | undefined, body: Uint8Array): string {
  const claimed = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):\s*(?:;[^,]*)?(?:,|$)/.exec(header ?? '')?.[1];
  if (claimed === undefined) {
    throw new Problem(
      400,
      'Digest missing',
      `Wanted is Content-Digest: sha-256=:BASE64:, given was ${header ?? 'nothing'}`,
    );
  }
  const digest = createHash('sha256').update(body).digest();
  if (!digest.equals(Buffer.from(claimed, 'base64'))) {
    throw new Problem(
      400,
      'Digest differs',
      `Content-Digest says ${claimed}, the ${body.length} bytes that came have ${digest.toString('base64')}: send them again`,
    );
  }
  return digest.toString('hex');
}
