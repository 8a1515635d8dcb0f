import type { Role } from './cut-block.ts';

/** Which batch of which epoch. */
export interface BatchPlace {
  readonly epoch: string;
  readonly shard: number;
  readonly sequence: number;
  /** W3C's, of the batch's piece of the epoch's trace; absent where nothing is traced. */
  readonly traceparent?: string | undefined;
}

/** Where an epoch's batches go: a trainer, or files. Every call may come again, from another reader too. */
export interface Delivery {
  /** Tells of an epoch; telling the same again changes nothing. */
  announce(epoch: string, announcement: object): Promise<void>;
  /**
   * Several may be called for at once.
   *
   * @param body is not touched any more when the batch is answered for
   * @returns `duplicate` when the batch was there already
   */
  putBatch(place: BatchPlace & { readonly role: Role }, body: Buffer): Promise<'accepted' | 'duplicate'>;
  endShard(epoch: string, shard: number, counts: { readonly batches: number; readonly rows: number }): Promise<void>;
  endEpoch(epoch: string): Promise<void>;
}
