/** Where a workload outside Google Cloud has its own identity from. */
export type FederationSource =
  /** A file that something keeps fresh: a token as it is, or the JSON answer that holds it. */
  | { readonly kind: 'file'; readonly file: string; readonly field: string | undefined }
  /** Okta's answer to a client-credentials grant, kept in a file. */
  | { readonly kind: 'okta'; readonly file: string }
  /** The managed identity of an Azure machine. */
  | { readonly kind: 'entra'; readonly resource: string }
  /** The role of an AWS machine. */
  | { readonly kind: 'aws' };

export interface Federation {
  /** `projects/NUMBER/locations/global/workloadIdentityPools/POOL` */
  readonly pool: string;
  readonly provider: string;
  /** Whom it acts as. */
  readonly serviceAccount: string;
  readonly source: FederationSource;
  /** In place of Google's STS and IAM Credentials: the laptop's issuer. */
  readonly endpoint: string | undefined;
}

const METADATA = 'http://169.254.169.254';
const ID_TOKEN = 'urn:ietf:params:oauth:token-type:jwt';

/**
 * The file that GOOGLE_APPLICATION_CREDENTIALS names, by which Google's libraries trade the workload's own token for one of the
 * service account. It holds no secret.
 *
 * Source: google.aip.dev/auth/4117 and cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds.
 */
export function credentialConfig({ pool, provider, serviceAccount, source, endpoint }: Federation): object {
  const sts = endpoint ?? 'https://sts.googleapis.com';
  const iam = endpoint ?? 'https://iamcredentials.googleapis.com';
  return {
    type: 'external_account',
    audience: `//iam.googleapis.com/${pool}/providers/${provider}`,
    subject_token_type: source.kind === 'aws' ? 'urn:ietf:params:aws:token-type:aws4_request' : ID_TOKEN,
    token_url: `${sts}/v1/token`,
    service_account_impersonation_url: `${iam}/v1/projects/-/serviceAccounts/${serviceAccount}:generateAccessToken`,
    credential_source: credentialSource(source),
  };
}

function credentialSource(source: FederationSource): object {
  const json = (field: string) => ({ type: 'json', subject_token_field_name: field });
  switch (source.kind) {
    case 'file':
      return { file: source.file, format: source.field === undefined ? { type: 'text' } : json(source.field) };
    case 'okta':
      return { file: source.file, format: json('access_token') };
    case 'entra':
      return {
        url: `${METADATA}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=${encodeURIComponent(source.resource)}`,
        headers: { Metadata: 'True' },
        format: json('access_token'),
      };
    case 'aws':
      return {
        environment_id: 'aws1',
        region_url: `${METADATA}/latest/meta-data/placement/availability-zone`,
        url: `${METADATA}/latest/meta-data/iam/security-credentials`,
        regional_cred_verification_url:
          'https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15',
        imdsv2_session_token_url: `${METADATA}/latest/api/token`,
      };
  }
}

/** The commands that make the provider, and let its workload act as the service account. */
export function federationSetup({ pool, provider, serviceAccount, source }: Federation): string[] {
  const [, project = '', , , , poolId = ''] = pool.split('/');
  const place = `--project=${project} --location=global --workload-identity-pool=${poolId}`;
  const create = 'gcloud iam workload-identity-pools providers';
  const subject = source.kind === 'aws' ? 'attribute.aws_role/ROLE_ARN' : 'subject/SUBJECT';
  const kind = source.kind === 'aws' ? 'principalSet' : 'principal';
  return [
    `${create} ${creation(provider, source)} ${place}`,
    `gcloud iam service-accounts add-iam-policy-binding ${serviceAccount} --role=roles/iam.workloadIdentityUser --member='${kind}://iam.googleapis.com/${pool}/${subject}'`,
  ];
}

function creation(provider: string, source: FederationSource): string {
  switch (source.kind) {
    case 'aws':
      return `create-aws ${provider} --account-id=ACCOUNT`;
    case 'okta':
      return `create-oidc ${provider} --issuer-uri=https://ORG.okta.com/oauth2/default --allowed-audiences=AUDIENCE --attribute-mapping='google.subject=assertion.sub,google.groups=assertion.groups'`;
    case 'entra':
      return `create-oidc ${provider} --issuer-uri=https://sts.windows.net/TENANT/ --allowed-audiences='${source.resource}' --attribute-mapping='google.subject=assertion.oid,attribute.tid=assertion.tid'`;
    case 'file':
      return `create-oidc ${provider} --issuer-uri=ISSUER --allowed-audiences=AUDIENCE --attribute-mapping=google.subject=assertion.sub`;
  }
}
