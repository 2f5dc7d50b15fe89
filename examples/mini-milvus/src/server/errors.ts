/** Why the node's port could not be opened. */
export type ListenErrorCode = 'ADDRESS_IN_USE' | 'ADDRESS_NOT_AVAILABLE' | 'ADDRESS_NOT_PERMITTED' | 'LISTEN_FAILED'

export class ListenError extends Error {
  override readonly name: string = 'ListenError'
  readonly code: ListenErrorCode
  readonly host: string
  readonly port: number

  constructor(code: ListenErrorCode, message: string, host: string, port: number, cause: unknown) {
    super(message, { cause })
    this.code = code
    this.host = host
    this.port = port
  }
}

/** From what `listen` reported; the message says what to do. */
export function listenError(error: unknown, host: string, port: number): ListenError {
  const code = (error as { code?: unknown } | null)?.code
  if (code === 'EADDRINUSE') {
    const next = port < 65535 ? `--port ${port + 1} or ` : ''
    return new ListenError('ADDRESS_IN_USE', `${port} is in use; try ${next}--port 0`, host, port, error)
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return new ListenError('ADDRESS_NOT_AVAILABLE', `this machine has no address ${host}`, host, port, error)
  }
  if (code === 'EACCES') return new ListenError('ADDRESS_NOT_PERMITTED', `no permission to listen on port ${port}`, host, port, error)
  const reason = error instanceof Error ? error.message : String(error)
  return new ListenError('LISTEN_FAILED', `cannot listen on ${host}:${port}: ${reason}`, host, port, error)
}
