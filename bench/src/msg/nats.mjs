/** As much of NATS's text protocol as publishing to JetStream takes: no client could do with less. */
import { connect } from 'node:net'

export async function openNats(url) {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.setNoDelay(true)
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  const waiting = new Map()
  let serial = 0
  let rest = Buffer.alloc(0)
  socket.on('data', (data) => {
    rest = rest.length === 0 ? data : Buffer.concat([rest, data])
    for (;;) {
      const end = rest.indexOf('\r\n')
      if (end < 0) return
      const words = rest.subarray(0, end).toString().split(' ')
      if (words[0] === 'MSG') {
        const size = Number(words.at(-1))
        if (rest.length < end + 4 + size) return
        const subject = words[1]
        const payload = rest.subarray(end + 2, end + 2 + size)
        rest = rest.subarray(end + 4 + size)
        waiting.get(subject)?.(JSON.parse(payload.toString()))
        waiting.delete(subject)
        continue
      }
      if (words[0] === 'PING') socket.write('PONG\r\n')
      if (words[0] === '-ERR') socket.destroy(new Error(words.join(' ')))
      rest = rest.subarray(end + 2)
    }
  })
  socket.write('CONNECT {"verbose":false,"pedantic":false}\r\nSUB in.* 1\r\n')
  const request = (subject, payload) => new Promise((resolve, reject) => {
    const reply = `in.${(serial += 1)}`
    waiting.set(reply, (answer) => (answer.error === undefined ? resolve(answer) : reject(new Error(answer.error.description))))
    socket.write(Buffer.concat([Buffer.from(`PUB ${subject} ${reply} ${payload.length}\r\n`), payload, Buffer.from('\r\n')]))
  })
  return { request, close: () => socket.destroy() }
}
