import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isNamed, type Principal } from '../../../../shared/model/identity/principal.ts';
import { ClaimError, principalOf } from '../../../../shared/model/identity/principal-of.ts';
import { issuerOf, type TrustedIssuer, trustedIssuers } from '../../../../shared/model/identity/trusted-issuer.ts';

const TENANT = '9188040d-6c67-4c5b-b112-36a304b66dad';
const google = issuerOf('https://accounts.google.com');
const okta = issuerOf('https://acme.okta.com/oauth2/default', { domains: ['acme.example'], clients: ['0oa1'] });
const entra = issuerOf(`https://login.microsoftonline.com/${TENANT}/v2.0`, { domains: ['acme.example'] });

const sink = { sub: '104', azp: '104', email: 'push@p.iam.gserviceaccount.com', email_verified: true, aud: 'a' };
/** An ID token of Okta's. */
const ada = {
  sub: '00u1',
  aud: '0oa1',
  azp: '0oa1',
  email: 'Ada@acme.example',
  email_verified: true,
  groups: ['Everyone', 'penstock-operators'],
};
/** An access token of Entra ID's, version 2.0. */
const grace = {
  sub: 'pairwise',
  oid: '5b1e',
  tid: TENANT,
  azp: 'c1',
  aud: 'api://penstock',
  preferred_username: 'grace@acme.example',
  groups: ['4f6f7f00-0000-0000-0000-000000000001'],
};

function refuses(claims: object, trusted: TrustedIssuer, why: RegExp): void {
  assert.throws(
    () => principalOf({ ...claims }, trusted),
    (error) => error instanceof ClaimError && why.test(error.message),
  );
}

test('issuerOf() knows how the addresses of Google, Okta, Entra ID and the laptop read their claims', () => {
  const shapes = {
    'https://accounts.google.com': 'google',
    'http://127.0.0.1:8080': 'google',
    'https://acme.okta.com': 'okta',
    'https://acme.oktapreview.com/oauth2/aus1': 'okta',
    [`https://login.microsoftonline.com/${TENANT}/v2.0`]: 'entra',
    'https://login.microsoftonline.com/common/v2.0': 'oidc',
    'https://accounts.google.com.evil.example': 'oidc',
    'https://evil.example/acme.okta.com': 'oidc',
    'http://127.0.0.1.evil.example:80': 'oidc',
  };
  for (const [issuer, shape] of Object.entries(shapes)) assert.equal(issuerOf(issuer).shape, shape, issuer);
});

test('trustedIssuers() prefers what is declared of an issuer to its bare name', () => {
  const issuers = trustedIssuers(['https://accounts.google.com', okta.issuer], [okta]);
  assert.deepEqual(issuers, [okta, google]);
});

test('principalOf() names Google’s service accounts and people', () => {
  assert.deepEqual(principalOf(sink, google), {
    issuer: google.issuer,
    subject: '104',
    email: sink.email,
    groups: [],
    kind: 'service',
    name: sink.email,
  });
  const person = {
    sub: '1',
    azp: 'client',
    aud: 'a',
    email: 'ada@acme.example',
    email_verified: true,
    hd: 'acme.example',
  };
  assert.equal(principalOf(person, google).kind, 'person');
  refuses({ ...person, hd: undefined }, google, /does not host the domain/);
  refuses({ ...person, hd: 'evil.example' }, google, /does not host the domain/);
});

test('principalOf() refuses Google’s tokens without a verified address, and those given to another account', () => {
  for (const email_verified of [false, undefined, 'true', 1])
    refuses({ ...sink, email_verified }, google, /no verified/);
  refuses({ ...sink, email: undefined }, google, /no verified/);
  refuses({ ...sink, azp: '105' }, google, /another account/);
  assert.equal(principalOf({ ...sink, azp: sink.email }, google).email, sink.email);
});

test('principalOf() reads Okta’s people with their groups, and its services by their client', () => {
  assert.deepEqual(principalOf(ada, okta), {
    issuer: okta.issuer,
    subject: '00u1',
    email: 'ada@acme.example',
    groups: ['Everyone', 'penstock-operators'],
    kind: 'person',
    name: 'ada@acme.example',
  });
  const service = principalOf({ sub: '0oa1', cid: '0oa1', aud: 'api://penstock' }, okta);
  assert.deepEqual([service.kind, service.name], ['service', `${okta.issuer}#0oa1`]);
  assert.deepEqual(principalOf({ ...ada, groups: undefined, roles: ['x'] }, { ...okta, groupsClaim: 'roles' }).groups, [
    'x',
  ]);
});

test('principalOf() reads Entra ID’s people by their oid within their tenant, and its services', () => {
  const principal = principalOf(grace, entra);
  assert.deepEqual([principal.subject, principal.kind, principal.email], ['5b1e', 'person', undefined]);
  assert.equal(principal.name, `${entra.issuer}#5b1e`);
  assert.deepEqual(principal.groups, grace.groups);
  assert.equal(principalOf({ ...grace, idtyp: 'app' }, entra).kind, 'service');
  assert.equal(principalOf({ ...grace, sub: grace.oid }, entra).kind, 'service');
  refuses({ ...grace, tid: 'another' }, entra, /its tenant "another"/);
  refuses({ ...grace, oid: undefined }, entra, /no oid/);
});

test('principalOf() believes an address of Entra ID only where its domain’s owner was checked', () => {
  const written = { ...grace, email: 'cfo@acme.example', email_verified: true };
  assert.equal(principalOf(written, entra).email, undefined);
  assert.equal(principalOf({ ...written, xms_edov: true }, entra).email, 'cfo@acme.example');
  assert.equal(principalOf({ ...written, xms_edov: true, email: 'cfo@evil.example' }, entra).email, undefined);
});

test('principalOf() lets no other issuer speak for a Google service account, or for a domain that is not its own', () => {
  const generous = { ...okta, domains: ['acme.example', 'p.iam.gserviceaccount.com'] };
  assert.equal(principalOf({ ...ada, email: sink.email }, generous).email, undefined);
  assert.equal(principalOf({ ...ada, email: 'ada@evil.example' }, okta).email, undefined);
  assert.equal(principalOf({ ...ada, email_verified: false }, okta).email, undefined);
  assert.equal(principalOf({ ...ada, email: 'ada@acme.example@evil.example' }, okta).email, undefined);
});

test('principalOf() refuses a token that another client was given, and several audiences without an azp', () => {
  refuses({ ...ada, azp: '0oa2' }, okta, /client "0oa2"/);
  refuses({ ...ada, azp: undefined }, okta, /client unknown/);
  refuses({ ...sink, azp: undefined, aud: ['a', 'b'] }, google, /several audiences/);
});

test('principalOf() refuses groups that are only pointed to, that are no names, or that are too many', () => {
  refuses({ ...grace, groups: undefined, _claim_names: { groups: 'src1' } }, entra, /too many groups/);
  refuses({ ...grace, groups: undefined, hasgroups: true }, entra, /too many groups/);
  refuses({ ...grace, groups: 'admins' }, entra, /no list of names/);
  refuses({ ...grace, groups: [7] }, entra, /no list of names/);
  refuses({ ...grace, groups: Array.from({ length: 1_001 }, String) }, entra, /no list of names/);
});

test('principalOf() names somebody or refuses, whatever the claims are', () => {
  const claims = fc.dictionary(
    fc.constantFrom('sub', 'oid', 'tid', 'azp', 'email', 'email_verified', 'groups', 'aud', '__proto__', 'cid'),
    fc.oneof(fc.jsonValue(), fc.constantFrom(TENANT, '0oa1', 'x@acme.example', true)),
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(claims, fc.constantFrom(google, okta, entra), (written, trusted) => {
      try {
        const { subject, name, groups } = principalOf(written, trusted);
        assert.ok(subject.length > 0 && name.length > 0 && Array.isArray(groups));
      } catch (error) {
        assert.ok(error instanceof ClaimError, String(error));
      }
    }),
  );
});

const person: Principal = {
  issuer: okta.issuer,
  subject: '00u1',
  email: undefined,
  groups: ['operators'],
  kind: 'person',
  name: `${okta.issuer}#00u1`,
};

test('isNamed() finds an address, a qualified subject and a qualified group, and no other issuer’s', () => {
  assert.ok(isNamed(person, [`${okta.issuer}#00u1`]));
  assert.ok(isNamed(person, [`${okta.issuer}#group:operators`]));
  assert.ok(isNamed({ ...person, email: 'ada@acme.example' }, ['Ada@acme.example']));
  for (const other of [
    '00u1',
    'operators',
    'group:operators',
    `${entra.issuer}#00u1`,
    `${entra.issuer}#group:operators`,
    '',
  ]) {
    assert.ok(!isNamed(person, [other]), other);
  }
});

test('isNamed() does not take a subject that reads as a group for that group', () => {
  const liar = { ...person, subject: 'group:operators', groups: [] };
  assert.ok(!isNamed(liar, [`${okta.issuer}#group:operators`]));
});
