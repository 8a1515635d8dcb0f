const FIRST_CHUNK_BYTES = 1024;
/** Longer byte strings are sent as they lie instead of being copied. */
const COPY_BELOW_BYTES = 4096;

/** Writes Kafka's primitives into a list of chunks that a socket sends one after another. */
export class ByteWriter {
  private readonly done: Buffer[] = [];
  private doneBytes = 0;
  private current = Buffer.allocUnsafe(FIRST_CHUNK_BYTES);
  private position = 0;

  get length(): number {
    return this.doneBytes + this.position;
  }

  int8(value: number): void {
    const at = this.room(1);
    this.current.writeInt8(value, at);
  }

  int16(value: number): void {
    const at = this.room(2);
    this.current.writeInt16BE(value, at);
  }

  int32(value: number): void {
    const at = this.room(4);
    this.current.writeInt32BE(value, at);
  }

  int64(value: bigint): void {
    const at = this.room(8);
    this.current.writeBigInt64BE(value, at);
  }

  float64(value: number): void {
    const at = this.room(8);
    this.current.writeDoubleBE(value, at);
  }

  unsignedVarint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.byte(rest);
  }

  raw(bytes: Buffer): void {
    if (bytes.length < COPY_BELOW_BYTES) {
      const at = this.room(bytes.length);
      this.current.set(bytes, at);
      return;
    }
    this.flush();
    this.done.push(bytes);
    this.doneBytes += bytes.length;
  }

  /** Everything written so far, in order; the writer is spent afterwards. */
  chunks(): Buffer[] {
    this.flush();
    return this.done;
  }

  private byte(value: number): void {
    const at = this.room(1);
    this.current[at] = value;
  }

  /** May replace `current`: call it before `current` is read. */
  private room(length: number): number {
    if (this.position + length > this.current.length) {
      const next = Math.max(FIRST_CHUNK_BYTES, this.position * 2, length);
      this.flush();
      this.current = Buffer.allocUnsafe(next);
    }
    const start = this.position;
    this.position += length;
    return start;
  }

  private flush(): void {
    if (this.position === 0) return;
    this.done.push(this.current.subarray(0, this.position));
    this.doneBytes += this.position;
    this.current = this.current.subarray(this.position);
    this.position = 0;
  }
}
