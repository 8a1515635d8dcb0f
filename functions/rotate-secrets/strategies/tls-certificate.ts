import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { KafkaAccess } from '../../../shared/adapters/kafka/kafka-auth.ts';
import { KafkaAuthError } from '../../../shared/adapters/kafka/kafka-errors.ts';
import { openCluster } from '../../../shared/adapters/kafka/wire/cluster.ts';
import type { Clock } from '../../../shared/base/clock.ts';
import type { CertificateAuthority } from './issue-certificate.ts';
import { readFields, textField } from './read-fields.ts';
import { type Strategy, StrategyRefusedError } from './strategy.ts';

const CLIENT = 'penstock-rotate-secrets';
/** As OpenSSL calls P-256 and P-384. */
const CURVES: ReadonlySet<unknown> = new Set(['prime256v1', 'secp384r1']);

/**
 * A client certificate that an authority of the user's signs, with a new key each time. The value is `{"key", "cert"}`, with whatever else
 * stands there kept.
 *
 * Nothing takes a certificate back before its end: the old one works until then, which is what `lifetimeMs` bounds.
 *
 * @param options.subject as RFC 4514 has it: `CN=kafka-sink,O=Penstock`
 * @param options.brokers who is shown the new one; undefined where none are declared with TLS
 */
export function tlsCertificate(options: {
  readonly authority: () => Promise<CertificateAuthority>;
  readonly subject: string;
  readonly lifetimeMs: number;
  readonly brokers: Pick<KafkaAccess, 'brokers' | 'tls'> | undefined;
  readonly clock: Clock;
}): Strategy {
  const { authority, subject, lifetimeMs, brokers, clock } = options;
  return {
    async create(current) {
      const fields = current && readFields(current);
      const signer = await authority();
      checkAuthority(signer, clock() + lifetimeMs);
      // Half a megabyte that other strategies never need.
      const { issueCertificate } = await import('./issue-certificate.ts');
      const issued = await issueCertificate(signer, { subject, lifetimeMs, nowMs: clock() });
      return Buffer.from(JSON.stringify({ ...fields, ...issued }));
    },
    async set() {},
    async test(value) {
      const shown = certificateOf(value);
      await checkChain(shown.cert, (await authority()).cert, clock());
      if (brokers?.tls) await shakeHands(brokers, shown);
    },
    async revoke() {},
    async close() {},
  };
}

/** @throws {StrategyRefusedError} when the authority cannot sign what ends then */
function checkAuthority({ key, cert }: CertificateAuthority, endsAtMs: number): void {
  const { validToDate } = new X509Certificate(cert);
  if (validToDate.getTime() < endsAtMs) {
    const what = `The authority’s own certificate ends at ${validToDate.toISOString()}, before the new one would`;
    throw new StrategyRefusedError(what, 'Renew the authority, or shorten `lifetime`');
  }
  const { asymmetricKeyType: kind = 'unknown', asymmetricKeyDetails: details } = createPrivateKey(key);
  if (kind === 'rsa' || (kind === 'ec' && CURVES.has(details?.namedCurve))) return;
  const what = `The authority’s key is of kind ${[kind, details?.namedCurve].join(' ').trim()}`;
  throw new StrategyRefusedError(what, 'Use an authority with an RSA key, or one on P-256 or P-384');
}

function certificateOf(value: Buffer): { readonly key: string; readonly cert: string } {
  const fields = readFields(value);
  const key = textField(fields, 'key');
  const cert = textField(fields, 'cert');
  let belongs = false;
  try {
    belongs = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch {
    // The parsers' own errors may quote what they could not parse.
  }
  if (belongs) return { key, cert };
  throw new StrategyRefusedError('The new certificate is not the one of its key', 'Let this strategy make both');
}

async function checkChain(cert: string, authority: string, nowMs: number): Promise<void> {
  const leaf = new X509Certificate(cert);
  const signer = new X509Certificate(authority);
  const isOfAuthority = leaf.checkIssued(signer) && leaf.verify(signer.publicKey);
  const isValid = leaf.validFromDate.getTime() <= nowMs && nowMs < leaf.validToDate.getTime();
  if (isOfAuthority && isValid) return;
  const what = isValid ? 'is not signed by the authority' : `is valid from ${leaf.validFrom} to ${leaf.validTo} only`;
  throw new StrategyRefusedError(`The new certificate ${what}`, 'See whether the authority’s secret was changed');
}

/** Asks a broker for its metadata by the certificate. */
async function shakeHands(
  { brokers, tls }: Pick<KafkaAccess, 'brokers' | 'tls'>,
  shown: { readonly key: string; readonly cert: string },
): Promise<void> {
  const auth = { mechanism: 'mtls', certificate: async () => shown } as const;
  const cluster = openCluster({ brokers, tls, auth }, CLIENT);
  try {
    await cluster.metadata([]);
  } catch (error) {
    if (!(error instanceof KafkaAuthError)) throw error;
    const remedy = 'See whether the brokers trust the authority that the declaration names';
    throw new StrategyRefusedError('The brokers do not take the new certificate', remedy, error);
  } finally {
    cluster.close();
  }
}
