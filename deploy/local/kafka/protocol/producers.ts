import { api } from './api.ts';
import { int16, int32, long, nullableString, since } from './fields.ts';

/** InitProducerId: an id and epoch for an idempotent or transactional producer. */
export const initProducerId = api({
  key: 22,
  name: 'InitProducerId',
  versions: [0, 4],
  flexibleFrom: 2,
  request: {
    transactionalId: nullableString,
    transactionTimeoutMs: int32,
    producerId: since(3, long, -1),
    producerEpoch: since(3, int16, -1),
  },
  response: { throttleTimeMs: int32, errorCode: int16, producerId: long, producerEpoch: int16 },
});
