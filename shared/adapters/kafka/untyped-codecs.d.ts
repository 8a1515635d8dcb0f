declare module 'lz4js' {
  /** Compresses into an LZ4 frame. */
  export function compress(source: Uint8Array, maxBytes?: number): Uint8Array;
}

declare module 'snappyjs' {
  export function compress(source: Buffer): Buffer;
  export function uncompress(source: Buffer, maxBytes?: number): Buffer;
}
