import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/** A key and its certificate, as PEM. */
export interface KeyAndCertificate {
  readonly key: string;
  readonly cert: string;
}

/** A certificate authority made for one test. */
export interface CertificateAuthority {
  /** Its own certificate, as PEM. */
  readonly ca: string;
  /** Its private key, as PEM. */
  readonly key: string;
  /** A certificate for the host that the local servers listen on. */
  forServer(): KeyAndCertificate;
  /** @param subject its names from the outermost on, for instance `{ O: 'Penstock', CN: 'kafka-sink' }` */
  forClient(subject: Subject): KeyAndCertificate;
}

/** A distinguished name: country, organisation, unit, common name. */
export type Subject = Readonly<Partial<Record<keyof typeof nameOids, string>>>;

const DAY_MS = 86_400_000;
const tag = { boolean: 1, integer: 2, bitString: 3, octets: 4, utf8: 12, utcTime: 23, sequence: 0x30, set: 0x31 };
/** Object identifiers with their tag and length. */
const nameOids = { C: '0603550406', O: '060355040a', OU: '060355040b', CN: '0603550403' };
const ECDSA_WITH_SHA256 = '06082a8648ce3d040302';
const BASIC_CONSTRAINTS = '0603551d13';
const SUBJECT_ALTERNATIVE_NAME = '0603551d11';

/** Makes an authority with a key of its own, valid from yesterday until tomorrow. */
export function makeAuthority(name: Subject = { CN: 'Authority of a test' }): CertificateAuthority {
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issue = (subject: Subject, extensions: readonly Buffer[]): KeyAndCertificate => {
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const cert = certificate({ subject, issuer: name, publicKey: keys.publicKey, extensions, signer: own.privateKey });
    return { key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), cert };
  };
  const isAuthority = extension(BASIC_CONSTRAINTS, der(tag.sequence, der(tag.boolean, Buffer.from([0xff]))));
  const localHost = der(tag.sequence, der(0x82, Buffer.from('localhost')), der(0x87, Buffer.from([127, 0, 0, 1])));
  return {
    key: own.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    ca: certificate({
      subject: name,
      issuer: name,
      publicKey: own.publicKey,
      extensions: [isAuthority],
      signer: own.privateKey,
    }),
    forServer: () => issue({ CN: '127.0.0.1' }, [extension(SUBJECT_ALTERNATIVE_NAME, localHost)]),
    forClient: (subject) => issue(subject, []),
  };
}

/** An X.509 certificate of version 3, signed with ECDSA. Source: RFC 5280, section 4.1. */
function certificate(of: {
  subject: Subject;
  issuer: Subject;
  publicKey: KeyObject;
  extensions: readonly Buffer[];
  signer: KeyObject;
}): string {
  const algorithm = der(tag.sequence, Buffer.from(ECDSA_WITH_SHA256, 'hex'));
  const version3 = der(0xa0, der(tag.integer, Buffer.from([2])));
  const serial = Buffer.concat([Buffer.from([1]), randomBytes(8)]);
  const now = Date.now();
  const toBeSigned = der(
    tag.sequence,
    version3,
    der(tag.integer, serial),
    algorithm,
    distinguishedName(of.issuer),
    der(tag.sequence, utcTime(now - DAY_MS), utcTime(now + DAY_MS)),
    distinguishedName(of.subject),
    of.publicKey.export({ type: 'spki', format: 'der' }),
    ...(of.extensions.length > 0 ? [der(0xa3, der(tag.sequence, ...of.extensions))] : []),
  );
  const signature = der(tag.bitString, Buffer.from([0]), sign('sha256', toBeSigned, of.signer));
  const base64 = der(tag.sequence, toBeSigned, algorithm, signature).toString('base64');
  return `-----BEGIN CERTIFICATE-----\n${base64.replaceAll(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`;
}

function distinguishedName(subject: Subject): Buffer {
  const names = (Object.keys(nameOids) as (keyof typeof nameOids)[]).flatMap((kind) => {
    const value = subject[kind];
    if (value === undefined) return [];
    const pair = der(tag.sequence, Buffer.from(nameOids[kind], 'hex'), der(tag.utf8, Buffer.from(value)));
    return [der(tag.set, pair)];
  });
  return der(tag.sequence, ...names);
}

function extension(oid: string, value: Buffer): Buffer {
  const critical = oid === BASIC_CONSTRAINTS ? [der(tag.boolean, Buffer.from([0xff]))] : [];
  return der(tag.sequence, Buffer.from(oid, 'hex'), ...critical, der(tag.octets, value));
}

function utcTime(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return der(tag.utcTime, Buffer.from(digits.slice(2)));
}

function der(kind: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([kind, body.length]), body]);
  // The shortest form alone is DER: others make the certificate one that OpenSSL verifies and Java does not.
  if (body.length < 0x100) return Buffer.concat([Buffer.from([kind, 0x81, body.length]), body]);
  return Buffer.concat([Buffer.from([kind, 0x82, body.length >> 8, body.length & 0xff]), body]);
}
