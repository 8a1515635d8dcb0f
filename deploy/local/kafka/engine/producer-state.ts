import { errorCode } from '../protocol/error-code.ts';
import type { BatchHeader } from '../storage/record-batch.ts';
import { KafkaError } from './kafka-error.ts';

const REMEMBERED_BATCHES = 5;
/** The producers that were silent longest are forgotten first. */
const MAX_PRODUCERS = 10_000;
/** Sequences go round after 2^31 − 1. */
const SEQUENCES = 2 ** 31;

interface RememberedBatch {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
}

interface Producer {
  epoch: number;
  batches: RememberedBatch[];
}

/**
 * What one partition remembers of its idempotent producers: the epoch and the last five batches of each.
 *
 * Rebuilt from the log itself when a partition is opened, so that it survives whatever the log survives.
 */
export class ProducerState {
  private readonly producers = new Map<number, Producer>();

  /**
   * Decides whether a batch may be appended.
   *
   * @returns the offset that the batch already has, where it is a duplicate; undefined where it is new
   * @throws {KafkaError} the epoch is old, or the sequence does not follow the last one
   */
  check(header: BatchHeader): number | undefined {
    const producer = this.producers.get(header.producerId);
    if (!producer) return undefined;
    const { producerEpoch: epoch, baseSequence: first } = header;
    if (epoch < producer.epoch) {
      const message = `Producer ${header.producerId} has epoch ${producer.epoch}: a batch of epoch ${epoch} is refused`;
      throw new KafkaError(errorCode.invalidProducerEpoch, message);
    }
    const last = producer.batches.at(-1);
    if (epoch > producer.epoch || !last) {
      if (first !== 0 && epoch > producer.epoch) throw outOfOrder(header, 0);
      return undefined;
    }
    const duplicate = producer.batches.find(
      (batch) => batch.firstSequence === first && batch.lastSequence === lastSequence(header),
    );
    if (duplicate) return duplicate.baseOffset;
    const expected = (last.lastSequence + 1) % SEQUENCES;
    if (first !== expected) throw outOfOrder(header, expected);
    return undefined;
  }

  /** Remembers an appended batch; a control batch only raises the epoch. */
  note(header: BatchHeader): void {
    if (header.producerId < 0) return;
    let producer = this.producers.get(header.producerId);
    if (!producer || header.producerEpoch > producer.epoch) {
      producer = { epoch: header.producerEpoch, batches: [] };
    }
    this.producers.delete(header.producerId);
    this.producers.set(header.producerId, producer);
    const longestSilent = this.producers.keys().next().value;
    if (this.producers.size > MAX_PRODUCERS && longestSilent !== undefined) this.producers.delete(longestSilent);
    if (header.control) return;
    const { baseOffset, baseSequence: firstSequence } = header;
    producer.batches.push({ firstSequence, lastSequence: lastSequence(header), baseOffset });
    if (producer.batches.length > REMEMBERED_BATCHES) producer.batches.shift();
  }
}

function lastSequence(header: BatchHeader): number {
  return (header.baseSequence + header.lastOffsetDelta) % SEQUENCES;
}

function outOfOrder(header: BatchHeader, expected: number): KafkaError {
  const message = `Producer ${header.producerId} sent sequence ${header.baseSequence} where ${expected} was due`;
  return new KafkaError(errorCode.outOfOrderSequenceNumber, message);
}
