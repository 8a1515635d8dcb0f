import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

const MAX_AGE_MS = 15 * 60_000;
const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([\w-]+)\/sts\/aws4_request, ?SignedHeaders=([\w;-]+), ?Signature=([0-9a-f]{64})$/;
const STS = /^https:\/\/sts\.([\w-]+)\.amazonaws\.com\/?\?Action=GetCallerIdentity&Version=2011-06-15$/;

/** A key that AWS would know. */
export interface AwsKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** What GetCallerIdentity would answer: `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`. */
  readonly arn: string;
}

/**
 * Checks a signed GetCallerIdentity request as a workload sends it for a token exchange. Google's STS forwards it to AWS; the
 * laptop knows the keys itself.
 *
 * Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
 *
 * @returns the caller's ARN
 */
export function verifyAwsRequest(
  token: string,
  { target, keys, nowMs }: { readonly target: string; readonly keys: readonly AwsKey[]; readonly nowMs: number },
): string {
  const request: { url: string; method: string; headers: { key: string; value: string }[] } = JSON.parse(
    decodeURIComponent(token),
  );
  const headers = new Map(request.headers.map(({ key, value }) => [key.toLowerCase(), value]));
  const [, region = ''] = STS.exec(request.url) ?? [];
  if (region === '' || request.method !== 'POST') throw new Error('The request is no GetCallerIdentity');
  if (headers.get('x-goog-cloud-target-resource') !== target) throw new Error('The request is for another provider');
  const [, id = '', day = '', signedRegion = '', signed = '', signature = ''] =
    AUTHORIZATION.exec(headers.get('authorization') ?? '') ?? [];
  const key = keys.find(({ accessKeyId }) => accessKeyId === id);
  if (!key || signedRegion !== region) throw new Error('The request is signed by no key that is known');
  const date = headers.get('x-amz-date') ?? '';
  const sentAtMs = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (!date.startsWith(day) || !(Math.abs(nowMs - sentAtMs) <= MAX_AGE_MS)) throw new Error('The request is too old');
  const canonical = [
    'POST',
    '/',
    'Action=GetCallerIdentity&Version=2011-06-15',
    ...signed.split(';').map((name) => `${name}:${(headers.get(name) ?? '').trim()}`),
    '',
    signed,
    sha256(''),
  ].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', date, `${day}/${region}/sts/aws4_request`, sha256(canonical)].join('\n');
  const signingKey = [day, region, 'sts', 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${key.secretAccessKey}`,
  );
  const expected = createHmac('sha256', signingKey).update(toSign).digest();
  if (!timingSafeEqual(expected, Buffer.from(signature, 'hex'))) throw new Error('The signature is wrong');
  return key.arn;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
