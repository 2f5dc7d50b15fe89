/** Sockets that are open, and how many of them from each address. */
import type { Socket } from 'node:net'

type Watched = Pick<Socket, 'remoteAddress' | 'on' | 'once' | 'destroy'>

/**
 * Keeps the sockets that are open; one too many from an address is closed at once and gives false. Everything on this machine
 * shares one address and one trust, and an HTTP client opens a connection for each call at once: there is no bound for it here.
 */
export function limitPerAddress<T extends Watched>(sockets: Set<T>, most: number): (socket: T) => boolean {
  const counts = new Map<string, number>()
  return (socket) => {
    const { remoteAddress = '' } = socket
    const count = (counts.get(remoteAddress) ?? 0) + 1
    counts.set(remoteAddress, count)
    sockets.add(socket)
    socket.once('close', () => {
      sockets.delete(socket)
      const left = (counts.get(remoteAddress) ?? 1) - 1
      if (left > 0) counts.set(remoteAddress, left)
      else counts.delete(remoteAddress)
    })
    socket.on('error', () => socket.destroy())
    if (count <= most || isLocal(remoteAddress)) return true
    socket.destroy()
    return false
  }
}

function isLocal(address: string): boolean {
  return address === '::1' || address.replace(/^::ffff:/i, '').startsWith('127.')
}
