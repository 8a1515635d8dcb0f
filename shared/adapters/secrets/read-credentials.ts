import { createPrivateKey, X509Certificate } from 'node:crypto';
import { HttpAuthorization, KeyAndCertificate, UserAndPassword } from './credentials.ts';
import { SecretError } from './secret-error.ts';
import type { SecretValue } from './secret-value.ts';

const BROKER = /^\S+:\d{1,5}$/;
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

/**
 * Reads `{"username": …, "password": …}`.
 *
 * @throws {SecretError} with `SECRET_MALFORMED`, naming the secret and the field
 */
export function readUserAndPassword(value: SecretValue): UserAndPassword {
  const fields = readFields(value);
  return new UserAndPassword(textOf(value, fields, 'username'), textOf(value, fields, 'password'));
}

/** Reads `{"username": …, "password": …}` as an HTTP basic authorization. Source: RFC 7617. */
export function readBasicAuthorization(value: SecretValue): HttpAuthorization {
  const { username, password } = readUserAndPassword(value);
  if (username.includes(':'))
    throw malformed(value, 'has a colon in its field "username", which basic auth cannot carry');
  return new HttpAuthorization('Basic', Buffer.from(`${username}:${password}`, 'utf8').toString('base64'));
}

/** Reads `{"token": …}` as an HTTP bearer authorization. Source: RFC 6750, section 2.1. */
export function readBearerAuthorization(value: SecretValue): HttpAuthorization {
  const token = textOf(value, readFields(value), 'token');
  if (!TOKEN.test(token)) throw malformed(value, 'has characters in its field "token" that no header can carry');
  return new HttpAuthorization('Bearer', token);
}

/** Reads `{"key": …, "cert": …, "ca"?: …}`, each as PEM, and checks that key and certificate belong together. */
export function readKeyAndCertificate(value: SecretValue): KeyAndCertificate {
  const fields = readFields(value);
  const key = textOf(value, fields, 'key');
  const cert = textOf(value, fields, 'cert');
  const ca = fields.ca === undefined ? undefined : textOf(value, fields, 'ca');
  const privateKey = parsed(value, 'key', 'a private key as PEM', () => createPrivateKey(key));
  const certificate = parsed(value, 'cert', 'a certificate as PEM', () => new X509Certificate(cert));
  if (ca !== undefined) parsed(value, 'ca', 'a certificate as PEM', () => new X509Certificate(ca));
  if (!certificate.checkPrivateKey(privateKey)) throw malformed(value, 'has a "key" that is not the one of its "cert"');
  return new KeyAndCertificate(key, cert, ca);
}

/** Reads `{"brokers": …}`: a list of `host:port`, or a text with commas. */
export function readBrokers(value: SecretValue): readonly string[] {
  const { brokers } = readFields(value);
  const list: readonly unknown[] =
    typeof brokers === 'string' ? brokers.split(',') : Array.isArray(brokers) ? brokers : [];
  const named = list.map((broker) => String(broker).trim());
  if (named.length > 0 && named.every((broker) => BROKER.test(broker))) return named;
  throw malformed(value, 'has no field "brokers" that names brokers as host:port');
}

/** Reads `{"registry": …}`: the URL of a schema registry, without a slash at its end. */
export function readRegistryUrl(value: SecretValue): string {
  const url = textOf(value, readFields(value), 'registry');
  if (/^https?:$/.test(URL.parse(url)?.protocol ?? '')) return url.replace(/\/+$/, '');
  throw malformed(value, 'has a field "registry" that is no URL');
}

type Fields = Readonly<Record<string, unknown>>;

function readFields(value: SecretValue): Fields {
  const fields = parsed(value, undefined, 'a JSON object', (): unknown => JSON.parse(value.text()));
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    throw malformed(value, 'is no JSON object');
  }
  return { ...fields };
}

function textOf(value: SecretValue, fields: Fields, field: string): string {
  const found = fields[field];
  if (found === undefined) throw malformed(value, `has no field "${field}"`);
  if (typeof found !== 'string' || found === '') throw malformed(value, `has a field "${field}" that is no text`);
  return found;
}

/** A parser's own error is left out: it quotes what it could not parse. */
function parsed<T>(value: SecretValue, field: string | undefined, wanted: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof SecretError) throw error;
    throw malformed(value, field === undefined ? `is not ${wanted}` : `has a field "${field}" that is not ${wanted}`);
  }
}

function malformed(value: SecretValue, what: string): SecretError {
  return new SecretError(`${value} ${what}`, {
    code: 'SECRET_MALFORMED',
    remedy: 'Add a version of the right form and let the alias name it',
  });
}
