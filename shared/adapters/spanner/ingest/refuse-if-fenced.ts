import { type Checkpoint, FencedError, OffsetGapError, type PipelinePartition } from './checkpoint.ts';

/** What a worker believes about the partition that it is about to write. */
export interface Claim extends PipelinePartition {
  /** As `raiseFence` gave it. */
  readonly fence: bigint;
  /** Every record from here on that the log still has is in the batch, or was found to be none. */
  readonly fromOffset: bigint;
}

/**
 * The check on which exactly-once stands: only the newest owner of a partition writes, and only from where the
 * checkpoint is.
 *
 * @param checkpoint read in the transaction that is about to write; undefined when its row is gone
 * @returns the offset from which records count: those below it were written before
 * @throws {FencedError} when another owner has raised the fence, or the checkpoint was removed
 * @throws {OffsetGapError} when the batch begins above the checkpoint
 */
export function refuseIfFenced(claim: Claim, checkpoint: Checkpoint | undefined): bigint {
  if (checkpoint?.fence !== claim.fence) throw new FencedError(claim, claim.fence, checkpoint?.fence ?? 0n);
  if (claim.fromOffset > checkpoint.nextOffset) {
    throw new OffsetGapError(claim, checkpoint.nextOffset, claim.fromOffset);
  }
  return checkpoint.nextOffset;
}
