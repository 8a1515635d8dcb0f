import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runWorker } from '../../../../deploy/local/functions/run-function.ts';
import { openIdentityServer } from '../../../../deploy/local/identity/server.ts';

const account = 'kafka-sink@flights.iam.gserviceaccount.com';
const folder = mkdtempSync(join(tmpdir(), 'run-function-'));
after(() => rmSync(folder, { recursive: true }));

/** A bundle whose worker prints whom Google's library takes it for. */
function writeWorker(): void {
  const library = createRequire(import.meta.url).resolve('google-auth-library');
  mkdirSync(join(folder, 'probe'));
  writeFileSync(
    join(folder, 'probe', 'worker.js'),
    `const { GoogleAuth } = require(${JSON.stringify(library)});
    new GoogleAuth().getCredentials().then(({ client_email }) => console.log('I am ' + client_email));`,
  );
}

/** What gcloud leaves on the machine of somebody who has signed in, or has a key. */
function writeCredentials(): string {
  const file = join(folder, 'application_default_credentials.json');
  const [private_key, client_email] = ['x', 'ada@flights.iam.gserviceaccount.com'];
  writeFileSync(file, JSON.stringify({ type: 'service_account', private_key, client_email }));
  return file;
}

/** What the worker prints first. */
async function firstLine(env: Readonly<Record<string, string>>): Promise<string> {
  const printed = Promise.withResolvers<string>();
  const worker = runWorker({ name: 'probe', dist: folder, env, onLine: printed.resolve });
  const line = await printed.promise;
  await worker.ended;
  return line;
}

test('runWorker() gives a function the identity of its metadata server, whoever sits at the keyboard', async (context) => {
  writeWorker();
  const file = writeCredentials();
  const identity = await openIdentityServer();
  const { host } = await identity.openMetadataServer(account);
  const ofThePerson = {
    GOOGLE_APPLICATION_CREDENTIALS: file,
    CLOUDSDK_CONFIG: folder,
    METADATA_SERVER_DETECTION: 'none',
  };
  Object.assign(process.env, ofThePerson);
  context.after(async () => {
    for (const name of Object.keys(ofThePerson)) delete process.env[name];
    await identity.close();
  });
  assert.equal(await firstLine({ GCE_METADATA_HOST: host }), `I am ${account}`);
  assert.equal(await firstLine({}), 'I am ada@flights.iam.gserviceaccount.com');
});
