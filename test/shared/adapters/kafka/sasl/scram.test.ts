import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scramExchange } from '../../../../../shared/adapters/kafka/sasl/scram.ts';

/** Source: RFC 7677, section 3. */
const rfc = {
  user: { username: 'user', password: 'pencil' },
  nonce: 'rOprNGfwEbeRWgbNEkqO',
  serverFirst: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
  proof: 'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  serverFinal: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
};

test('scramExchange() speaks the exchange of RFC 7677', async () => {
  const scram = scramExchange('sha256', rfc.user, rfc.nonce);
  assert.equal(scram.first, 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO');
  assert.equal(await scram.prove(rfc.serverFirst), rfc.proof);
  scram.verify(rfc.serverFinal);
});

test('scramExchange() refuses a server that does not prove itself', async () => {
  const scram = scramExchange('sha256', rfc.user, rfc.nonce);
  assert.throws(() => scram.verify(rfc.serverFinal), /did not prove/, 'before its challenge');
  await scram.prove(rfc.serverFirst);
  for (const answer of ['', 'v=', 'v=AAAA', rfc.serverFinal.replace('6r', '7r')]) {
    assert.throws(() => scram.verify(answer), /did not prove/, answer);
  }
  assert.throws(() => scram.verify('e=invalid-proof'), /invalid-proof/);
});

test('scramExchange() refuses a challenge that cannot be honest', async () => {
  const scram = scramExchange('sha512', rfc.user, rfc.nonce);
  const refused: readonly (readonly [string, RegExp])[] = [
    [rfc.serverFirst.replace('r=rO', 'r=xO'), /nonce/],
    [`r=${rfc.nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`, /nonce/],
    [rfc.serverFirst.replace('i=4096', 'i=4095'), /4095 iterations/],
    [rfc.serverFirst.replace('i=4096', 'i=1000001'), /1000001 iterations/],
    [rfc.serverFirst.replace('i=4096', 'i=1e9'), /iterations/],
    [rfc.serverFirst.replace('W22ZaJ0SNY7soEsUEjb6gQ==', ''), /salt/],
  ];
  for (const [challenge, message] of refused) await assert.rejects(scram.prove(challenge), message);
});

test('scramExchange() escapes what would end a name, and never says the same nonce twice', () => {
  const firsts = [1, 2].map(() => scramExchange('sha256', { username: 'a,b=c', password: 'x' }).first);
  assert.match(firsts[0] ?? '', /^n,,n=a=2Cb=3Dc,r=[A-Za-z0-9+/]{32}$/);
  assert.notEqual(firsts[0], firsts[1]);
});
