import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { issueCertificate } from '../../../../functions/rotate-secrets/strategies/issue-certificate.ts';
import { StrategyRefusedError } from '../../../../functions/rotate-secrets/strategies/strategy.ts';
import { tlsCertificate } from '../../../../functions/rotate-secrets/strategies/tls-certificate.ts';
import { makeAuthority } from '../../../deploy/local/kafka/certificates.ts';

const authority = makeAuthority();
const signer = { key: authority.key, cert: authority.ca };
const HOUR_MS = 3_600_000;
const subject = 'CN=kafka-sink,O=Penstock';

test('issueCertificate() makes a client certificate for its subject, that ends when it should', async () => {
  const nowMs = Date.now();
  const { key, cert } = await issueCertificate(signer, { subject, lifetimeMs: HOUR_MS, nowMs });
  const leaf = new X509Certificate(cert);
  assert.equal(leaf.subject, 'CN=kafka-sink\nO=Penstock');
  assert.ok(leaf.verify(new X509Certificate(authority.ca).publicKey) && !leaf.ca);
  assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.2']);
  assert.ok(Math.abs(leaf.validToDate.getTime() - nowMs - HOUR_MS) < 1_000);
  assert.match(key, /^-----BEGIN PRIVATE KEY-----/);
  const again = await issueCertificate(signer, { subject, lifetimeMs: HOUR_MS, nowMs });
  assert.notEqual(new X509Certificate(again.cert).serialNumber, leaf.serialNumber);
});

function strategyOf(of: Partial<Parameters<typeof tlsCertificate>[0]> = {}) {
  const brokers = undefined;
  return tlsCertificate({
    authority: async () => signer,
    subject,
    lifetimeMs: HOUR_MS,
    brokers,
    clock: Date.now,
    ...of,
  });
}

test('issueCertificate() signs with RSA and P-384 authorities too', async () => {
  for (const made of [
    generateKeyPairSync('rsa', { modulusLength: 2048 }),
    generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ]) {
    const key = made.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const of = { subject, lifetimeMs: HOUR_MS, nowMs: Date.now() };
    const { cert } = await issueCertificate({ ...signer, key }, of);
    assert.ok(new X509Certificate(cert).verify(made.publicKey));
  }
});

test('tlsCertificate() refuses to outlive its authority, and one that cannot sign', async () => {
  await assert.rejects(strategyOf({ lifetimeMs: 48 * HOUR_MS }).create(undefined), (error: unknown) => {
    assert.ok(error instanceof StrategyRefusedError);
    assert.match(error.message, /ends at 20\d\d-/);
    return true;
  });
  const { privateKey } = generateKeyPairSync('ed25519');
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const authority = async () => ({ ...signer, key });
  await assert.rejects(strategyOf({ authority }).create(undefined), /is of kind ed25519/);
});

test('tlsCertificate() refuses a key that is not the certificate’s, and one that has ended', async () => {
  let nowMs = Date.now();
  const make = () => strategyOf({ clock: () => nowMs });
  const value = await make().create(undefined);
  await make().test(value);
  const mixed = { ...JSON.parse(String(value)), key: JSON.parse(String(await make().create(undefined))).key };
  await assert.rejects(make().test(Buffer.from(JSON.stringify(mixed))), /not the one of its key/);
  nowMs += 2 * HOUR_MS;
  await assert.rejects(make().test(value), /is valid from .* only/);
});
