/** Pulsar through its WebSocket API (`ws`). */
import type * as Driver from 'ws'
import type { WebSocket } from 'ws'
import { MsgStreamError } from '../errors.ts'
import { decodeMessageId, encodeMessageId } from './message-id.ts'
import { PulsarRest, type WebTransportOptions } from './rest.edge.ts'
import type { PulsarEntry, PulsarListener, PulsarReceiver, PulsarSender, PulsarTransport } from './transport.ts'

interface Answer {
  readonly result?: string
  readonly errorMsg?: string
  readonly messageId?: string
  readonly payload?: string
}

const pingMs = 30_000

export async function openWebTransport(options: WebTransportOptions): Promise<PulsarTransport> {
  try {
    return new WebTransport(options, await import('ws'))
  } catch (cause) {
    throw new MsgStreamError('MSG_DRIVER_MISSING', 'the Pulsar backend needs the package ws: npm install ws', { cause })
  }
}

class WebTransport extends PulsarRest implements PulsarTransport {
  readonly #options: WebTransportOptions
  readonly #driver: typeof Driver

  constructor(options: WebTransportOptions, driver: typeof Driver) {
    super(options)
    this.#options = options
    this.#driver = driver
  }

  /** `use` is called when it is open, before the first message is looked at. */
  #connect<T>(path: string, use: (socket: WebSocket) => T): Promise<T> {
    const { url, timeoutMs } = this.#options
    const socket = new this.#driver.WebSocket(`${url.replace(/^http/, 'ws')}/ws/v2/${path}`, { headers: this.headers, handshakeTimeout: timeoutMs, perMessageDeflate: false })
    return new Promise((resolve, reject) => {
      socket.once('open', () => {
        const timer = setInterval(() => socket.ping(), pingMs)
        timer.unref()
        socket.once('close', () => clearInterval(timer))
        resolve(use(socket))
      })
      socket.once('error', (cause) => reject(new MsgStreamError('MSG_UNAVAILABLE', `no connection: ${cause.message}`, { cause, outcome: 'not-applied' })))
    })
  }

  async openSender(topic: string): Promise<PulsarSender> {
    const { timeoutMs } = this.#options
    const query = `batchingEnabled=false&maxPendingMessages=2000&sendTimeoutMillis=${timeoutMs}`
    return this.#connect(`producer/${this.space}/${topic}?${query}`, (socket) => new WebSender(socket))
  }

  async openReceiver(topic: string, after: PulsarEntry | 'earliest', window: number, listener: PulsarListener): Promise<PulsarReceiver> {
    const id = after === 'earliest' ? after : encodeURIComponent(encodeMessageId(after))
    return this.#connect(`reader/${this.space}/${topic}?messageId=${id}&receiverQueueSize=${window}`, (socket) => new WebReceiver(socket, listener))
  }
}

/** Resolves when it is closed; a peer that does not answer is left after a second. */
function closeSocket(socket: WebSocket): Promise<void> {
  if (socket.readyState === 3) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(() => socket.terminate(), 1000)
    socket.once('close', () => {
      clearTimeout(timer)
      resolve()
    })
    socket.close()
  })
}

/** Answers come in the order of the messages. */
class WebSender implements PulsarSender {
  readonly #socket: WebSocket
  readonly #waiting: { resolve(id: PulsarEntry): void; reject(error: Error): void }[] = []
  #next = 0

  constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data: Buffer) => this.#answered(JSON.parse(data.toString()) as Answer))
    socket.on('error', () => {})
    socket.on('close', (code: number, reason: Buffer) => {
      const error = new Error(`the connection was lost (${code} ${reason.toString()})`)
      for (const waiting of this.#waiting.splice(this.#next)) waiting.reject(error)
    })
  }

  get isOpen(): boolean {
    return this.#socket.readyState === 1
  }

  #answered({ result, errorMsg, messageId }: Answer): void {
    const waiting = this.#waiting[this.#next++]
    if (this.#next > 1024) {
      this.#waiting.splice(0, this.#next)
      this.#next = 0
    }
    if (result === 'ok' && messageId !== undefined) return waiting?.resolve(decodeMessageId(messageId))
    const refused = /Terminated|QueueIsFull|NotAllowed|too large|bigger/i.test(errorMsg ?? '')
    waiting?.reject(Object.assign(new Error(`${result ?? ''} ${errorMsg ?? ''}`), { refused }))
  }

  send(payload: Buffer): Promise<PulsarEntry> {
    return new Promise((resolve, reject) => {
      if (!this.isOpen) return reject(Object.assign(new Error('the connection is closed'), { refused: true }))
      this.#waiting.push({ resolve, reject })
      this.#socket.send(`{"payload":"${payload.toString('base64')}"}`)
    })
  }

  close(): Promise<void> {
    return closeSocket(this.#socket)
  }
}

class WebReceiver implements PulsarReceiver {
  readonly #socket: WebSocket
  /** Ids that are not confirmed: confirming one lets one more come. */
  readonly #held: string[] = []

  constructor(socket: WebSocket, listener: PulsarListener) {
    this.#socket = socket
    let isClosed = false
    this.#close = () => {
      isClosed = true
      return closeSocket(socket)
    }
    socket.on('error', () => {})
    socket.on('close', (code: number, reason: Buffer) => {
      if (!isClosed) listener.onLost(new Error(`the connection was lost (${code} ${reason.toString()})`))
    })
    socket.on('message', (data: Buffer) => {
      const { messageId, payload } = JSON.parse(data.toString()) as Answer
      if (isClosed || messageId === undefined) return
      this.#held.push(messageId)
      listener.onEntry(decodeMessageId(messageId), Buffer.from(payload ?? '', 'base64'))
    })
  }

  readonly #close: () => Promise<void>

  grant(count: number): void {
    for (const messageId of this.#held.splice(0, count)) this.#socket.send(`{"messageId":"${messageId}"}`)
  }

  close(): Promise<void> {
    return this.#close()
  }
}
