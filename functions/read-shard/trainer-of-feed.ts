import type { IdTokens } from '../../shared/adapters/identity/id-tokens.ts';
import { type TrainerClient, trainerClient } from '../../shared/adapters/trainer/trainer-client.ts';
import { ConfigError } from '../../shared/base/errors.ts';
import type { Declaration } from '../../shared/model/config/declaration.ts';
import type { Manifest } from '../../shared/model/epochs/manifest.ts';
import { mediaTypes } from '../../shared/model/tensors/batch-format.ts';

/**
 * Finds the trainer of an epoch's feed. Its address is the declaration's of today, not the plan's: a trainer may move.
 *
 * @throws {ConfigError} from the function that is returned, when the feed has no trainer any more
 */
export function trainerOfFeed(
  declaration: Declaration,
  tokens: Pick<IdTokens, 'authorization'>,
): (manifest: Manifest, signal: AbortSignal) => TrainerClient {
  return ({ plan }, signal) => {
    const trainer = declaration.feeds[plan.feed]?.trainer;
    if (!trainer) {
      const message = 'is missing, so that there is nowhere to deliver batches to';
      throw new ConfigError([{ path: `feeds.${plan.feed}.trainer`, message, remedy: 'Declare url and audience' }]);
    }
    return trainerClient({
      url: trainer.url,
      // The plan's, not the declaration's of today: an epoch is of one format.
      mediaType: mediaTypes[plan.format ?? 'safetensors'],
      authorization: () => tokens.authorization(trainer.audience),
      signal,
    });
  };
}
