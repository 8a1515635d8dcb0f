import 'reflect-metadata';
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** Who signs: its private key and its certificate, both in PEM. */
export interface CertificateAuthority {
  readonly key: string;
  /** Its own certificate first, then those between it and the one that brokers trust. */
  readonly cert: string;
}

/** Clocks of brokers may be behind ours. */
const BACKDATED_MS = 5 * 60_000;
const SERIAL_BYTES = 16;
const CURVE = 'P-256';

/**
 * Makes a key and has an authority, whose key is RSA or on P-256 or P-384, sign a client certificate for it.
 *
 * It lies beside the bundle with copies of what it imports, so it throws no class that others look for.
 *
 * @returns both in PEM; `cert` goes on with the certificates between it and the root
 */
export async function issueCertificate(
  authority: CertificateAuthority,
  of: { readonly subject: string; readonly lifetimeMs: number; readonly nowMs: number },
): Promise<{ readonly key: string; readonly cert: string }> {
  const { subject, lifetimeMs, nowMs } = of;
  const signer = new X509Certificate(authority.cert);
  const keys = generateKeyPairSync('ec', { namedCurve: CURVE });
  const publicKey = keys.publicKey.toCryptoKey({ name: 'ECDSA', namedCurve: CURVE }, true, ['verify']);
  const issued = await X509CertificateGenerator.create({
    // A positive number, in any encoding.
    serialNumber: `01${randomBytes(SERIAL_BYTES).toString('hex')}`,
    subject: new Name(subject).toString(),
    issuer: signer.subjectName.toString(),
    notBefore: new Date(nowMs - BACKDATED_MS),
    notAfter: new Date(nowMs + lifetimeMs),
    publicKey,
    ...signingOf(createPrivateKey(authority.key)),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth]),
      await SubjectKeyIdentifierExtension.create(publicKey),
      await AuthorityKeyIdentifierExtension.create(signer.publicKey),
    ],
  });
  // A root is what brokers have themselves.
  const between = (await signer.isSelfSigned()) ? '' : authority.cert;
  return {
    key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `${issued.toString('pem').trim()}\n${between}`,
  };
}

/** How an authority's key signs: by its own kind. */
function signingOf(key: KeyObject) {
  const { asymmetricKeyType: kind, asymmetricKeyDetails: details } = key;
  const hash = 'SHA-256';
  if (kind === 'rsa') {
    const name = 'RSASSA-PKCS1-v1_5';
    return { signingKey: key.toCryptoKey({ name, hash }, false, ['sign']), signingAlgorithm: { name, hash } };
  }
  const namedCurve = details?.namedCurve === 'secp384r1' ? 'P-384' : CURVE;
  const name = 'ECDSA';
  return { signingKey: key.toCryptoKey({ name, namedCurve }, false, ['sign']), signingAlgorithm: { name, hash } };
}
