/** Little-endian numbers of a frame. */
export function u32(frame: Uint8Array, at: number): number {
  return ((frame[at] as number) | ((frame[at + 1] as number) << 8) | ((frame[at + 2] as number) << 16) | ((frame[at + 3] as number) << 24)) >>> 0
}

// A frame is often a short view of a large buffer: a DataView for each costs more than all reads, this scratch does not.
const scratch = new DataView(new ArrayBuffer(8))

export function u64(frame: Uint8Array, at: number): bigint {
  scratch.setUint32(0, u32(frame, at), true)
  scratch.setUint32(4, u32(frame, at + 4), true)
  return scratch.getBigUint64(0, true)
}
