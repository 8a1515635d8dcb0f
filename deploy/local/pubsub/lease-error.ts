import protos from '@google-cloud/pubsub-api/build/protos/protos.js';
import { type handleUnaryCall, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import protobuf from 'protobufjs/minimal.js';
import { type Method, RpcError } from '../grpc.ts';
import { rpc } from '../rpc.ts';

const { Empty } = protos.google.protobuf;
const MESSAGE = 'Some acknowledgement ids in the request were invalid.';

class LeaseError extends RpcError {
  readonly ackIds: readonly string[];

  constructor(ackIds: readonly string[]) {
    super(status.FAILED_PRECONDITION, MESSAGE);
    this.ackIds = ackIds;
  }
}

/** Refuses an exactly-once acknowledgement that names leases which have ended. */
export function refuseLeases(ackIds: readonly string[]): void {
  if (ackIds.length > 0) throw new LeaseError(ackIds);
}

/** A unary method whose error can name single ack ids, in the trailer where exactly-once clients look for them. */
export function leaseMethod<Q>(
  path: string,
  request: { decode(bytes: Uint8Array): Q },
  handle: (request: Q) => void,
): Method {
  const method = rpc(path, request, Empty, () => new Empty());
  const answer: handleUnaryCall<Buffer, protos.google.protobuf.Empty> = (call, callback) => {
    try {
      handle(request.decode(call.request));
    } catch (error) {
      callback(asServiceError(error));
      return;
    }
    callback(null, new Empty());
  };
  return { ...method, deserialize: (bytes) => bytes, handle: answer };
}

function asServiceError(error: unknown): Partial<ServiceError> {
  const metadata = new Metadata();
  if (!(error instanceof RpcError)) return { code: status.INTERNAL, details: String(error), metadata };
  if (error instanceof LeaseError) metadata.set('grpc-status-details-bin', encodeStatus(error.ackIds));
  return { code: error.code, details: error.message, metadata };
}

/** `google.rpc.Status` with one `google.rpc.ErrorInfo{reason = 1, domain = 2, metadata = 3}` among its details. */
function encodeStatus(ackIds: readonly string[]): Buffer {
  const info = protobuf.Writer.create();
  info.uint32(10).string('PERMANENT_FAILURE_INVALID_ACK_ID').uint32(18).string('pubsub.googleapis.com');
  for (const ackId of ackIds) {
    info.uint32(26).fork().uint32(10).string(ackId).uint32(18).string('PERMANENT_FAILURE_INVALID_ACK_ID').ldelim();
  }
  const details = protobuf.Writer.create();
  details.uint32(8).int32(status.FAILED_PRECONDITION).uint32(18).string(MESSAGE);
  details
    .uint32(26)
    .fork()
    .uint32(10)
    .string('type.googleapis.com/google.rpc.ErrorInfo')
    .uint32(18)
    .bytes(info.finish());
  return Buffer.from(details.ldelim().finish());
}
