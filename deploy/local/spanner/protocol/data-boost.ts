import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';

/** What calls of reads and queries say of Data Boost. */
interface BoostableRequest {
  readonly dataBoostEnabled?: boolean | null;
  readonly partitionToken?: Uint8Array | string | null;
}

/** Lets calls use Data Boost as production does, and counts them: nothing is faster here. */
export class DataBoost {
  #calls = 0;

  /** Calls that used it. */
  get calls(): number {
    return this.#calls;
  }

  /** @throws {RpcError} INVALID_ARGUMENT when the call is not of a partition */
  admit({ dataBoostEnabled, partitionToken }: BoostableRequest): void {
    if (!dataBoostEnabled) return;
    if (!partitionToken?.length) {
      throw new RpcError(
        status.INVALID_ARGUMENT,
        'Data Boost is only for partitions: give the token of PartitionRead or PartitionQuery, or leave data_boost_enabled out.',
      );
    }
    this.#calls += 1;
  }
}
