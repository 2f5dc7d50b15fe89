import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { textFrame } from '../src/edge/frame.ts'

test('a shared message is a frame that any client reads, whatever its length, between messages of the library', async () => {
  const texts = ['', 'a', 'x'.repeat(125), 'x'.repeat(126), 'é'.repeat(63), 'x'.repeat(65_535), 'x'.repeat(65_536), '😀'.repeat(50_000)]
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  const server = createServer()
  server.on('upgrade', (request, raw, head) =>
    sockets.handleUpgrade(request, raw, head, (socket) => {
      for (const text of texts) {
        raw.write(textFrame(text))
        socket.send(`after ${text.length}`)
      }
    }),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const read: string[] = []
  client.on('message', (data: Buffer, isBinary) => read.push(isBinary ? 'binary' : data.toString()))
  await expect.poll(() => read.length).toBe(2 * texts.length)
  expect(read).toEqual(texts.flatMap((text) => [text, `after ${text.length}`]))
  client.terminate()
  sockets.close()
  server.close()
})
