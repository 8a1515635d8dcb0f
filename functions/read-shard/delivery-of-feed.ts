import { fileURLToPath } from 'node:url';
import { cloudFileStore } from '../../shared/adapters/files/cloud-file-store.ts';
import { fileDelivery } from '../../shared/adapters/files/file-delivery.ts';
import { localFileStore } from '../../shared/adapters/files/local-file-store.ts';
import type { AccessToken } from '../../shared/adapters/identity/access-tokens.ts';
import type { IdTokens } from '../../shared/adapters/identity/id-tokens.ts';
import { trainerClient } from '../../shared/adapters/trainer/trainer-client.ts';
import { ConfigError } from '../../shared/base/errors.ts';
import type { Declaration, Feed } from '../../shared/model/config/declaration.ts';
import type { Delivery } from '../../shared/model/epochs/delivery.ts';
import type { Manifest } from '../../shared/model/epochs/manifest.ts';
import { mediaTypes } from '../../shared/model/tensors/batch-format.ts';

/** What deliveries are authorised by. */
export interface DeliveryIdentity {
  readonly ids: Pick<IdTokens, 'authorization'>;
  /** Access tokens of this process; see `openAccessTokens`. */
  readonly access: (fresh: boolean) => Promise<AccessToken>;
  /** Of the process, for `STORAGE_EMULATOR_HOST`. */
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Finds where an epoch's batches go. The address is the declaration's of today, not the plan's: a trainer may move. The format
 * is the plan's: an epoch is of one format.
 *
 * @throws {ConfigError} from the function that is returned, when the feed has neither trainer nor files any more
 */
export function deliveryOfFeed(
  declaration: Declaration,
  identity: DeliveryIdentity,
): (manifest: Manifest, signal: AbortSignal) => Delivery {
  return ({ plan }, signal) => {
    const { trainer, files } = declaration.feeds[plan.feed] ?? {};
    const format = plan.format ?? 'safetensors';
    if (files) return fileDelivery(fileStoreAt(files, identity, signal), format);
    if (!trainer || format === 'tfrecord') throw nowhere(plan.feed, format);
    return trainerClient({
      url: trainer.url,
      mediaType: mediaTypes[format],
      authorization: () => identity.ids.authorization(trainer.audience),
      signal,
    });
  };
}

function fileStoreAt({ url }: NonNullable<Feed['files']>, { access, env }: DeliveryIdentity, signal: AbortSignal) {
  if (url.startsWith('file:')) return localFileStore(fileURLToPath(url));
  const [, bucket = '', prefix = ''] = /^gs:\/\/([^/]+)\/?(.*)$/.exec(url) ?? [];
  return cloudFileStore({ bucket, prefix, access, env, signal });
}

function nowhere(feed: string, format: string): ConfigError {
  const message = `is missing, so that there is nowhere to deliver ${format} batches to`;
  const remedy = 'Declare `trainer` with url and audience, or `files` with url and format';
  return new ConfigError([{ path: `feeds.${feed}.${format === 'tfrecord' ? 'files' : 'trainer'}`, message, remedy }]);
}
