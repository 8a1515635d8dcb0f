import { api } from './api.ts';
import { array, int16, int32, long, nullableString, records, since, string, struct } from './fields.ts';

/** Produce, from the first version with record batches of format 2 to the last with topic names. */
export const produce = api({
  key: 0,
  name: 'Produce',
  versions: [3, 11],
  flexibleFrom: 9,
  request: {
    transactionalId: nullableString,
    acks: int16,
    timeoutMs: int32,
    topics: array(struct({ name: string, partitions: array(struct({ index: int32, records })) })),
  },
  response: {
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            index: int32,
            errorCode: int16,
            baseOffset: long,
            logAppendTimeMs: long,
            logStartOffset: since(5, long, -1),
            recordErrors: since(8, array(struct({ batchIndex: int32, batchIndexErrorMessage: nullableString })), []),
            errorMessage: since(8, nullableString, null),
          }),
        ),
      }),
    ),
    throttleTimeMs: since(1, int32, 0),
  },
});
