import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Compute, GoogleAuth, gcpMetadata } from 'google-auth-library';
import { decodeJwt } from 'jose';
import { type IdentityServer, openIdentityServer } from '../../../../deploy/local/identity/server.ts';

const READER = 'reader@flights.iam.gserviceaccount.com';
const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
const FLAVOR = { 'Metadata-Flavor': 'Google' };

let server: IdentityServer;
let host: string;
const variables = ['GCE_METADATA_HOST', 'K_SERVICE', 'GOOGLE_CLOUD_PROJECT'];
const originals = Object.fromEntries(variables.map((name) => [name, process.env[name]]));

before(async () => {
  server = await openIdentityServer();
  ({ host } = await server.openMetadataServer(READER));
  // What Google's libraries find on Cloud Run; a project set otherwise would be believed before the server's.
  process.env.GCE_METADATA_HOST = host;
  process.env.K_SERVICE = 'read-shard';
  delete process.env.GOOGLE_CLOUD_PROJECT;
});
after(async () => {
  for (const [name, value] of Object.entries(originals)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  await server.close();
});

const ask = (path: string, headers: Record<string, string> = FLAVOR) =>
  fetch(`http://${host}/computeMetadata/v1/${path}`, { headers });

test('google-auth-library, as on Cloud Run, finds account, project, ID tokens and access tokens with their end', async () => {
  const auth = new GoogleAuth({ scopes: [SCOPE] });
  const client = await auth.getClient();
  assert.ok(client instanceof Compute);
  assert.equal(await auth.getProjectId(), 'flights');
  assert.equal((await auth.getCredentials()).client_email, READER);
  assert.equal(await auth.getUniverseDomain(), 'googleapis.com');

  const before = Date.now();
  assert.match(String((await client.getAccessToken()).token), /^ya29\./);
  const endsAtMs = client.credentials.expiry_date ?? 0;
  assert.ok(endsAtMs >= before + 3_600_000 && endsAtMs <= Date.now() + 3_600_000, String(endsAtMs - before));

  const ids = await auth.getIdTokenClient('https://trainer.example');
  const header = (await ids.getRequestHeaders()).get('authorization') ?? '';
  const claims = decodeJwt(header.replace('Bearer ', ''));
  assert.deepEqual([claims.aud, claims.email, claims.iss], ['https://trainer.example', READER, server.issuer]);
});

test('gcp-metadata knows the server for one, and reads values, directories and whole trees', async () => {
  gcpMetadata.resetIsAvailableCache();
  assert.equal(await gcpMetadata.isAvailable(), true);
  assert.equal(await gcpMetadata.instance(), 'id\nregion\nservice-accounts/\nzone\n');
  assert.equal(await gcpMetadata.instance('service-accounts/'), `default/\n${READER}/\n`);
  assert.equal(await gcpMetadata.instance('service-accounts/default/scopes'), `${SCOPE}\n`);
  assert.equal(await gcpMetadata.instance(`service-accounts/${READER}/email`), READER);
  assert.equal(await gcpMetadata.project('project-id'), 'flights');
  assert.equal(await gcpMetadata.project('numeric-project-id'), 0);
  const account = { aliases: ['default'], email: READER, scopes: [SCOPE] };
  const whole = await gcpMetadata.instance({ property: 'service-accounts/', params: { recursive: 'true' } });
  assert.deepEqual(JSON.parse(JSON.stringify(whole)), { default: account, [READER]: account });
  const instance = await gcpMetadata.instance({ params: { recursive: 'true', alt: 'json' } });
  assert.deepEqual(Object.keys(JSON.parse(JSON.stringify(instance))), ['id', 'region', 'serviceAccounts', 'zone']);
  assert.equal((await fetch(`http://${host}/`, { headers: FLAVOR })).headers.get('metadata-flavor'), 'Google');
});

test('openMetadataServer() gives nothing to who leaves out the header, or comes by a proxy', async () => {
  const paths = [
    'instance/service-accounts/default/token',
    'instance/service-accounts/default/identity?audience=a',
    '',
  ];
  const wrong: readonly Record<string, string>[] = [
    {},
    { 'Metadata-Flavor': 'google' },
    { 'X-Google-Metadata-Request': 'True' },
    { ...FLAVOR, 'X-Forwarded-For': '10.0.0.1' },
    { ...FLAVOR, 'X-Forwarded-For': '' },
  ];
  for (const path of paths) {
    for (const headers of wrong) {
      const answer = await ask(path, headers);
      assert.equal(answer.status, 403, `${path} ${JSON.stringify(headers)}`);
      assert.doesNotMatch(await answer.text(), /ya29|eyJ/);
    }
  }
});

test('openMetadataServer() answers 404 for what is not there, and 400 for an ID token for nobody', async () => {
  for (const path of ['instance/disks', 'instance/toString', 'project/attributes/x', 'instance/region/x', 'no']) {
    const answer = await ask(path);
    assert.equal(answer.status, 404, path);
    assert.equal(answer.headers.get('metadata-flavor'), 'Google');
  }
  assert.equal((await ask('instance/service-accounts/default/identity')).status, 400);
  assert.equal((await ask('instance/service-accounts/other@flights/email')).status, 404);
});
