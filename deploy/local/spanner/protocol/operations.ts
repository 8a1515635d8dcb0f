import type { google as types } from '@google-cloud/spanner-api/build/protos/protos.js';
import { status } from '@grpc/grpc-js';
import { type Method, RpcError, unary } from '../../grpc.ts';
import { google, strict } from './messages.ts';

type IOperation = types.longrunning.IOperation;

const SERVICE = '/google.longrunning.Operations';
const OPERATION_ID = /^[a-z][a-z0-9_]{0,127}$/;
const MAX_OPERATIONS = 10_000;

interface Encodable<T> {
  encode(message: T): { finish(): Uint8Array };
  getTypeUrl(): string;
}

/** Long-running operations; here all have ended when they are first heard of. */
export class Operations {
  readonly #operations = new Map<string, IOperation>();
  #count = 0;

  /** Keeps an operation that has ended well. */
  done<M, R>(
    parent: string,
    metadata: { type: Encodable<M>; message: M },
    response: { type: Encodable<R>; message: R },
    id = '',
  ): types.longrunning.Operation {
    this.#count += 1;
    const name = `${parent}/operations/${id || `op${Date.now().toString(36)}${this.#count}`}`;
    const operation = google.longrunning.Operation.create({
      name,
      done: true,
      metadata: pack(metadata.type, metadata.message),
      response: pack(response.type, response.message),
    });
    this.#operations.set(name, operation);
    for (const oldest of this.#operations.keys()) {
      if (this.#operations.size <= MAX_OPERATIONS) break;
      this.#operations.delete(oldest);
    }
    return operation;
  }

  /** Refuses a name of the caller's choice that is taken, before anything is done under it. */
  requireFree(parent: string, id: string): void {
    if (id === '') return;
    if (!OPERATION_ID.test(id)) {
      throw new RpcError(status.INVALID_ARGUMENT, `Invalid operation_id ${id}: expected ${OPERATION_ID}.`);
    }
    const name = `${parent}/operations/${id}`;
    if (this.#operations.has(name)) throw new RpcError(status.ALREADY_EXISTS, `Operation already exists: ${name}`);
  }

  methods(): Method[] {
    const { longrunning, protobuf } = google;
    return [
      unary(
        `${SERVICE}/GetOperation`,
        strict(longrunning.GetOperationRequest),
        strict(longrunning.Operation),
        ({ name }) => longrunning.Operation.create(this.#find(name)),
      ),
      unary(
        `${SERVICE}/WaitOperation`,
        strict(longrunning.WaitOperationRequest),
        strict(longrunning.Operation),
        ({ name }) => longrunning.Operation.create(this.#find(name)),
      ),
      unary(
        `${SERVICE}/ListOperations`,
        strict(longrunning.ListOperationsRequest),
        strict(longrunning.ListOperationsResponse),
        ({ name }) => longrunning.ListOperationsResponse.create({ operations: this.list(name) }),
      ),
      unary(
        `${SERVICE}/CancelOperation`,
        strict(longrunning.CancelOperationRequest),
        strict(protobuf.Empty),
        ({ name }) => {
          this.#find(name);
          return protobuf.Empty.create();
        },
      ),
      unary(
        `${SERVICE}/DeleteOperation`,
        strict(longrunning.DeleteOperationRequest),
        strict(protobuf.Empty),
        ({ name }) => {
          this.#find(name);
          this.#operations.delete(name);
          return protobuf.Empty.create();
        },
      ),
    ];
  }

  /** The operations below a resource. */
  list(parent: string): IOperation[] {
    return [...this.#operations.values()].filter(({ name }) => name?.startsWith(parent));
  }

  #find(name: string): IOperation {
    const operation = this.#operations.get(name);
    if (operation) return operation;
    throw new RpcError(status.NOT_FOUND, `Operation not found: ${name}`);
  }
}

function pack<T>(type: Encodable<T>, message: T): types.protobuf.IAny {
  return { type_url: type.getTypeUrl(), value: type.encode(message).finish() };
}
