/** A message as gRPC sends it: not compressed, its length, its bytes. */
export function grpcFrame(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** The messages of frames that follow each other. */
export function* grpcMessages(frames: Buffer): Generator<Buffer> {
  for (let at = 0; at < frames.length; ) {
    const end = at + 5 + frames.readUInt32BE(at + 1);
    yield frames.subarray(at + 5, end);
    at = end;
  }
}
