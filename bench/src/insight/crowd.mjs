/**
 * Many clients of insight's websocket, in a process of their own: `crowd.mjs <address> <clients> <cluster>`. Says `live`, ends with
 * its parent. On plain sockets that read as little as a client can: it is the node that is measured, and both share the machine.
 */
import { connect } from 'node:net'

const [address, count, cluster] = process.argv.slice(2)
const [host, port] = address.split(':')
const buffer = Buffer.allocUnsafe(256 * 1024)
const PING = 0x89
/** Masked with zeros, as a client must mask. */
const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0])
let live = 0
let reads = 0

function frameOf(message) {
  const payload = Buffer.from(JSON.stringify(message))
  return Buffer.concat([Buffer.from(payload.length < 126 ? [0x81, 0x80 | payload.length] : [0x81, 0xfe, payload.length >> 8, payload.length & 255]), Buffer.alloc(4), payload])
}

const handshake = ['GET /insight/v1/ws HTTP/1.1', `host: ${address}`, 'upgrade: websocket', 'connection: Upgrade', 'sec-websocket-version: 13', 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-protocol: insight.v1', '', ''].join('\r\n')
const wishes = Buffer.concat([frameOf({ t: 'hello' }), frameOf({ t: 'sub', id: 's', cluster, topics: ['collection'] })])

function join() {
  return new Promise((resolve, reject) => {
    let isUpgraded = false
    let isLive = false
    const socket = connect({ host, port: Number(port), noDelay: true, onread: { buffer, callback: read } })
    socket.once('error', reject)
    socket.once('close', () => process.exit(1))
    socket.once('connect', () => socket.write(handshake))
    function read(size) {
      reads += 1
      if (isLive) {
        if (buffer[0] === PING) socket.write(PONG)
        return true
      }
      const text = buffer.latin1Slice(0, size)
      if (!isUpgraded && text.startsWith('HTTP/1.1 101')) {
        isUpgraded = true
        socket.write(wishes)
      }
      if (text.includes('{"t":"live"')) {
        isLive = true
        live += 1
        resolve()
      }
      return true
    }
  })
}

for (let first = 0; first < Number(count); first += 50) await Promise.all(Array.from({ length: Math.min(50, Number(count) - first) }, join))
reads = 0
process.send({ live })
process.on('message', () => process.send({ reads }))
process.on('disconnect', () => process.exit(0))
