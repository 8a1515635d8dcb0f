import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { GoogleAuth } from 'google-auth-library';
import { decodeJwt } from 'jose';
import { type IdentityServer, openIdentityServer } from '../../../../deploy/local/identity/server.ts';
import { openIdTokens } from '../../../../shared/adapters/identity/id-tokens.ts';
import { tokenVerifier } from '../../../../shared/adapters/identity/verify-token.ts';
import { issuerOf } from '../../../../shared/model/identity/trusted-issuer.ts';

const POOL = 'projects/42/locations/global/workloadIdentityPools/outside';
const ACCOUNT = 'read-shard@p.iam.gserviceaccount.com';
const AUDIENCE = 'https://trainer.example';
const AWS_KEY = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'secret', arn: 'arn:aws:sts::1:assumed-role/reader/x' };
const launcher = resolve(import.meta.dirname, '../../../../deploy/cli/launch.js');

/** Google's, as far as the workload can tell. */
let google: IdentityServer;
/** The workload's own: Okta's, Entra ID's, or any other. */
let outside: IdentityServer;
const folder = mkdtempSync(join(tmpdir(), 'federation-'));
const tokenFile = join(folder, 'token');

before(async () => {
  // Else the library asks Google for the project behind the pool's number.
  process.env.GOOGLE_CLOUD_PROJECT = 'p';
  google = await openIdentityServer();
  outside = await openIdentityServer();
  const oidc = { kind: 'oidc', issuer: outside.issuer, audiences: ['api://gcp'] } as const;
  google.addProvider(`${POOL}/providers/okta`, oidc);
  google.addProvider(`${POOL}/providers/file`, oidc);
  google.addProvider(`${POOL}/providers/entra`, { ...oidc, subjectClaim: 'oid' });
  google.addProvider(`${POOL}/providers/aws`, { kind: 'aws', keys: [AWS_KEY] });
  for (const subject of ['workload-1', 'oid-1', AWS_KEY.arn]) {
    google.letImpersonate(`principal://iam.googleapis.com/${POOL}/subject/${subject}`, ACCOUNT);
  }
});
after(async () => {
  await google.close();
  await outside.close();
  rmSync(folder, { recursive: true });
  for (const name of [
    'GOOGLE_CLOUD_PROJECT',
    'GOOGLE_APPLICATION_CREDENTIALS',
    'AWS_REGION',
    'AWS_ACCESS_KEY_ID',
    'AWS_SECRET_ACCESS_KEY',
  ]) {
    delete process.env[name];
  }
});

/** Runs `penstock identity wif`, and has Google's library use what it wrote. */
async function configure(from: string, ...more: string[]): Promise<string> {
  const out = join(folder, `${from}.json`);
  const args = ['identity', 'wif', '--from', from, '--pool', POOL, '--provider', from, '--service-account', ACCOUNT];
  const child = spawn(process.execPath, [launcher, ...args, '--endpoint', google.issuer, '--out', out, ...more]);
  const exit = new Promise<number | null>((settle) => child.on('exit', settle));
  const [stderr, code] = await Promise.all([text(child.stderr), exit]);
  assert.equal(code, 0, stderr);
  process.env.GOOGLE_APPLICATION_CREDENTIALS = out;
  return out;
}

const own = (claims: object = {}) =>
  outside.mintIdToken('workload@outside', 'api://gcp', { sub: 'workload-1', ...claims });

/** A door takes the token that the workload gets for it, and knows it as the service account. */
async function opensDoor(): Promise<void> {
  const tokens = openIdTokens();
  const header = await tokens.authorization(AUDIENCE);
  const verify = tokenVerifier({ issuers: [issuerOf(google.issuer)], audiences: [AUDIENCE], callers: [ACCOUNT] });
  assert.equal((await verify(header)).email, ACCOUNT);
  assert.equal(await tokens.authorization(AUDIENCE), header);
  assert.equal(await tokens.email(), ACCOUNT);
  assert.match(
    String(await new GoogleAuth({ scopes: 'https://www.googleapis.com/auth/cloud-platform' }).getAccessToken()),
    /^ya29\./,
  );
}

test('penstock identity wif --from file: a workload with a token in a file acts as the service account', async () => {
  const out = await configure('file', '--token-file', tokenFile);
  writeFileSync(tokenFile, await own());
  await opensDoor();
  assert.doesNotMatch(readFileSync(out, 'utf8'), /private_key|secret/i);
});

test('penstock identity wif --from okta: the answer of Okta’s token endpoint, kept in a file', async () => {
  await configure('okta', '--token-file', tokenFile);
  writeFileSync(tokenFile, JSON.stringify({ token_type: 'Bearer', access_token: await own({ cid: '0oa1' }) }));
  await opensDoor();
});

test('penstock identity wif --from entra: the managed identity of an Azure machine', async () => {
  const out = await configure('entra', '--resource', 'api://gcp');
  const asked: string[] = [];
  const metadata = createServer(async (request, answer) => {
    asked.push(`${request.headers.metadata} ${request.url}`);
    answer.end(JSON.stringify({ access_token: await own({ oid: 'oid-1', tid: 't' }) }));
  }).listen(0, '127.0.0.1');
  await new Promise((settle) => metadata.once('listening', settle));
  const address = metadata.address();
  const port = typeof address === 'object' ? address?.port : 0;
  // The machine's address cannot be had here: ours stands in its place.
  writeFileSync(out, readFileSync(out, 'utf8').replace('http://169.254.169.254', `http://127.0.0.1:${port}`));
  try {
    await opensDoor();
    assert.match(
      asked[0] ?? '',
      /^True \/metadata\/identity\/oauth2\/token\?api-version=2018-02-01&resource=api%3A%2F%2Fgcp$/,
    );
  } finally {
    metadata.closeAllConnections();
    metadata.close();
  }
});

test('penstock identity wif --from aws: the signed request of an AWS role', async () => {
  await configure('aws');
  process.env.AWS_REGION = 'eu-central-1';
  process.env.AWS_ACCESS_KEY_ID = AWS_KEY.accessKeyId;
  process.env.AWS_SECRET_ACCESS_KEY = AWS_KEY.secretAccessKey;
  await opensDoor();
  process.env.AWS_SECRET_ACCESS_KEY = 'another';
  await assert.rejects(openIdTokens().authorization(AUDIENCE), /The signature is wrong/);
});

test('the token exchange refuses tokens that are forged, expired, for others, or of nobody who may act', async () => {
  await configure('file', '--token-file', tokenFile);
  const bad = {
    'another audience': await outside.mintIdToken('workload@outside', 'api://other', { sub: 'workload-1' }),
    expired: await own({ exp: 1_000 }),
    'another issuer': await google.mintIdToken('workload@outside', 'api://gcp', {
      sub: 'workload-1',
      iss: outside.issuer,
    }),
    'no token': 'nonsense',
  };
  for (const [what, token] of Object.entries(bad)) {
    writeFileSync(tokenFile, token);
    await assert.rejects(openIdTokens().authorization(AUDIENCE), /invalid_grant/, what);
  }
  writeFileSync(tokenFile, await own({ sub: 'workload-2' }));
  await assert.rejects(openIdTokens().authorization(AUDIENCE), /may not act as/);
});

test('a workload’s tokens follow a rotation of its issuer’s key', async () => {
  await configure('file', '--token-file', tokenFile);
  await outside.rotateKey();
  writeFileSync(tokenFile, await own());
  const header = await openIdTokens().authorization(AUDIENCE);
  assert.equal(decodeJwt(header.replace('Bearer ', '')).aud, AUDIENCE);
});
