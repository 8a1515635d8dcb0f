import { LEADER_EPOCH } from '../engine/partition.ts';
import { type ErrorCode, errorCode } from '../protocol/error-code.ts';

/** Compares the leader epoch that a client knows, -1 for none, with the only one there is. */
export function checkLeaderEpoch(known: number): ErrorCode {
  if (known > LEADER_EPOCH) return errorCode.unknownLeaderEpoch;
  return known >= 0 && known < LEADER_EPOCH ? errorCode.fencedLeaderEpoch : errorCode.none;
}
