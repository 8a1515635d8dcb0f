import type { Access, Declaration } from '../../../../shared/model/config/declaration.ts';
import { plainDeclaration, plainPipeline } from '../config/plain-pipeline.ts';

/** A declaration with a pipeline, a feed, a secret and these policies. */
export function guardedDeclaration(
  policies: string,
  { groups = {}, sensitive = { Passengers: ['Name'] } }: Partial<Pick<Access, 'groups' | 'sensitive'>> = {},
): Declaration {
  return plainDeclaration({
    pipelines: { people: plainPipeline({ table: 'Passengers', pipeline: { name: 'people' } }) },
    feeds: {
      faces: {
        name: 'faces',
        table: 'Passengers',
        transforms: [{ tensor: 'age', column: 'Age', kind: 'cast', as: 'float32', fillNull: undefined }],
        label: undefined,
        split: undefined,
        batchRows: 8,
        shards: 1,
        shardRows: undefined,
        seed: 0,
        schedule: undefined,
        trainer: undefined,
      },
    },
    secrets: {
      sink: {
        name: 'sink',
        strategy: { kind: 'hmac-key' },
        everyMs: 1_000,
        overlapMs: 10,
        waitForUsersMs: 10,
        destroyAfterMs: 100,
      },
    },
    access: {
      policies: './policies',
      sources: [{ file: './policies/p.cedar', text: policies }],
      groups,
      sensitive,
      issuers: [],
    },
  });
}
