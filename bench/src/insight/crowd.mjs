/** Many clients of insight's websocket, in a process of their own: `crowd.mjs <address> <clients> <cluster>`. Says `live`, ends with its parent. */
import { WebSocket } from 'ws'

const [address, count, cluster] = process.argv.slice(2)
let live = 0
let events = 0

function connect() {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://${address}/insight/v1/ws`, 'insight.v1')
    socket.once('error', reject)
    socket.once('open', () => {
      socket.send('{"t":"hello"}')
      socket.send(JSON.stringify({ t: 'sub', id: 's', cluster, topics: ['collection'] }))
    })
    socket.on('message', (data) => {
      // Read as little as a client can: it is the node that is measured.
      const kind = data.toString('latin1', 0, 12)
      if (kind.startsWith('{"t":"live"')) {
        live += 1
        resolve()
      } else if (kind.startsWith('{"t":"ev"')) events += 1
    })
  })
}

for (let first = 0; first < Number(count); first += 50) await Promise.all(Array.from({ length: Math.min(50, Number(count) - first) }, connect))
process.send({ live })
process.on('message', () => process.send({ events }))
process.on('disconnect', () => process.exit(0))
