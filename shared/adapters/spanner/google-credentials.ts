import { type ChannelCredentials, credentials, Metadata } from '@grpc/grpc-js';

const SCOPE = 'https://www.googleapis.com/auth/spanner.data';

/**
 * TLS, and the access token of the identity that this process runs under; tokens are renewed before they expire.
 *
 * The library is loaded at the first call: whoever talks to the laptop's Spanner needs none of it.
 */
export function googleCredentials(): ChannelCredentials {
  let auth: ReturnType<typeof openAuth> | undefined;
  const headers = credentials.createFromMetadataGenerator(({ service_url: url }, callback) => {
    auth ??= openAuth();
    auth
      .then((google) => google.getRequestHeaders(url))
      .then(
        (found) => {
          const metadata = new Metadata();
          for (const [name, value] of found) metadata.set(name, value);
          callback(null, metadata);
        },
        (error: Error) => callback(error),
      );
  });
  return credentials.combineChannelCredentials(credentials.createSsl(), headers);
}

async function openAuth() {
  const { GoogleAuth } = await import('google-auth-library');
  return new GoogleAuth({ scopes: [SCOPE] });
}
