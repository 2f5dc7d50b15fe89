/**
 * The websocket of the page: says hello, keeps what was asked for over losses, and starts again by itself, at once when the tab or
 * the network comes back.
 */
import { batch } from '@preact/signals'
import { storedToken, socketUrl } from './api.ts'
import { after, beforePaint, now, random } from './edge.ts'

export interface Message {
  readonly t: string
  readonly id?: string
  readonly [member: string]: unknown
}
export interface Wish {
  readonly t: 'sub' | 'view' | 'gauges'
  readonly id: string
  readonly [member: string]: unknown
}
export type Link = 'connecting' | 'open' | 'lost' | 'refused'

/** No sign of life for so long: the browser cannot see protocol pings. */
const SILENCE_MS = 40_000

export class Connection {
  readonly #onLink: (link: Link) => void
  readonly #onWelcome: (message: Message) => void
  readonly #wishes = new Map<string, { wish: Wish; from: () => object | undefined; listener: (message: Message) => void }>()
  #socket: WebSocket | undefined
  #isWelcome = false
  #tries = 0
  #heardAt = 0
  #cancelRetry: (() => void) | undefined
  readonly #waiting: Message[] = []

  constructor(onLink: (link: Link) => void, onWelcome: (message: Message) => void) {
    this.#onLink = onLink
    this.#onWelcome = onWelcome
    addEventListener('online', () => this.#retryNow())
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.#retryNow()
    })
  }

  open(): void {
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
    this.#onLink('connecting')
    const socket = new WebSocket(socketUrl, 'insight.v1')
    this.#socket = socket
    this.#isWelcome = false
    this.#heardAt = now()
    socket.addEventListener('open', () => socket.send(JSON.stringify({ t: 'hello', token: storedToken() })))
    socket.addEventListener('message', ({ data }: MessageEvent<string>) => this.#receive(JSON.parse(data) as Message))
    socket.addEventListener('close', ({ code }) => {
      if (this.#socket === socket) this.#lost(code)
    })
    this.#watch(socket)
  }

  /** Asks now and after every loss, until it is left. `from` gives where to go on. */
  follow(wish: Wish, listener: (message: Message) => void, from: () => object | undefined = () => undefined): () => void {
    this.#wishes.set(wish.id, { wish, from, listener })
    if (this.#isWelcome) this.#send({ ...wish, from: from() })
    return () => {
      if (this.#wishes.get(wish.id)?.wish !== wish) return
      this.#wishes.delete(wish.id)
      if (this.#isWelcome) this.#send({ t: 'unsub', id: wish.id })
    }
  }

  #receive(message: Message): void {
    this.#heardAt = now()
    if (message.t === 'welcome') {
      // What the connection before brought is known first: where to go on depends on it.
      this.#tell()
      this.#isWelcome = true
      this.#tries = 0
      this.#onLink('open')
      this.#onWelcome(message)
      for (const { wish, from } of this.#wishes.values()) this.#send({ ...wish, from: from() })
      return
    }
    if (message.id === undefined) return
    this.#waiting.push(message)
    if (this.#waiting.length === 1) beforePaint(() => this.#tell())
  }

  /** What came since the last picture, at once. */
  #tell(): void {
    const messages = this.#waiting.splice(0)
    batch(() => {
      for (const message of messages) this.#wishes.get(message.id ?? '')?.listener(message)
    })
  }

  #send(message: object): void {
    this.#socket?.send(JSON.stringify(message))
  }

  #lost(code: number): void {
    this.#isWelcome = false
    this.#socket = undefined
    if (code === 4401 || code === 4403) return this.#onLink('refused')
    this.#onLink('lost')
    const ceiling = Math.min(30_000, 500 * 2 ** this.#tries++)
    this.#cancelRetry = after(100 + random() * ceiling, () => this.open())
  }

  #retryNow(): void {
    if (this.#cancelRetry !== undefined) this.open()
  }

  #watch(socket: WebSocket): void {
    after(5000, () => {
      if (this.#socket !== socket) return
      if (now() - this.#heardAt <= SILENCE_MS) return this.#watch(socket)
      socket.close()
      this.#lost(1006)
    })
  }
}
