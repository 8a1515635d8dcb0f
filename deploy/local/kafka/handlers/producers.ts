import type { RequestOf, ResponseOf } from '../protocol/api.ts';
import { errorCode } from '../protocol/error-code.ts';
import type { initProducerId } from '../protocol/producers.ts';
import type { Call } from './route.ts';

/** Answers InitProducerId for idempotent producers. */
export function answerInitProducerId(
  { transactionalId }: RequestOf<typeof initProducerId>,
  { broker }: Call,
): ResponseOf<typeof initProducerId> {
  if (transactionalId !== null) {
    return { throttleTimeMs: 0, errorCode: errorCode.invalidRequest, producerId: -1, producerEpoch: -1 };
  }
  return { throttleTimeMs: 0, errorCode: errorCode.none, producerId: broker.nextProducerId(), producerEpoch: 0 };
}
