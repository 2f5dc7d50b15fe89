/** Calls, their ends and their replies as frames: several calls share one stream between two processes, and one message of it holds several frames. */
import { ByteReader, type ByteWriter } from './bytes.ts'
import { isRpcErrorCode, RpcError, type RpcErrorCode } from './errors.ts'

export type CallFrame =
  | { readonly kind: 'call'; readonly id: number; readonly timeoutMs: number; readonly path: string; readonly body: Uint8Array }
  /** Nobody waits for its reply any more. */
  | { readonly kind: 'cancel'; readonly id: number }
  /** A piece of a reply; long ones come in several, other frames between them. */
  | { readonly kind: 'reply'; readonly id: number; readonly isLast: boolean; readonly body: Uint8Array }
  | { readonly kind: 'refused'; readonly id: number; readonly code: RpcErrorCode; readonly isDone: boolean; readonly message: string }

const Kind = { call: 1, cancel: 2, piece: 3, reply: 4, refused: 5 } as const
/** What frames take at least. */
const LEAST_BYTES = 5

export function writeFrame(writer: ByteWriter, frame: CallFrame): void {
  switch (frame.kind) {
    case 'call':
      head(writer, Kind.call, frame.id)
      writer.u32(Math.min(Math.max(Math.ceil(frame.timeoutMs), 0), 2 ** 32 - 1))
      writer.text(frame.path)
      return writer.bytes(frame.body)
    case 'cancel':
      return head(writer, Kind.cancel, frame.id)
    case 'reply':
      head(writer, frame.isLast ? Kind.reply : Kind.piece, frame.id)
      return writer.bytes(frame.body)
    case 'refused':
      head(writer, Kind.refused, frame.id)
      writer.u8(frame.isDone ? 1 : 0)
      writer.text(frame.code)
      return writer.text(frame.message)
  }
}

/** Bodies are views of the message. Throws `RPC_MALFORMED`. */
export function readFrames(message: Uint8Array): CallFrame[] {
  const reader = new ByteReader(message)
  const frames: CallFrame[] = []
  while (reader.left >= LEAST_BYTES) frames.push(readFrame(reader))
  if (reader.left > 0) throw malformed(`${reader.left} bytes are left over`)
  return frames
}

function readFrame(reader: ByteReader): CallFrame {
  const kind = reader.u8()
  const id = reader.u32()
  switch (kind) {
    case Kind.call:
      return { kind: 'call', id, timeoutMs: reader.u32(), path: reader.text(), body: reader.bytes() }
    case Kind.cancel:
      return { kind: 'cancel', id }
    case Kind.piece:
    case Kind.reply:
      return { kind: 'reply', id, isLast: kind === Kind.reply, body: reader.bytes() }
    case Kind.refused: {
      const isDone = reader.u8() === 1
      const code = reader.text()
      return { kind: 'refused', id, isDone, code: isRpcErrorCode(code) ? code : 'RPC_MALFORMED', message: reader.text() }
    }
    default:
      throw malformed(`a frame of kind ${kind} is unknown`)
  }
}

function head(writer: ByteWriter, kind: number, id: number): void {
  writer.u8(kind)
  writer.u32(id)
}

function malformed(why: string): RpcError {
  return new RpcError('RPC_MALFORMED', `the message cannot be read: ${why}`)
}
