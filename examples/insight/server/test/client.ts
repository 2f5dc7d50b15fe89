/** A client of the hub in a hundred lines: rows of one subscription, kept by snapshot, events and resume. */
import { foldInto } from '../src/core/fold.ts'
import type { InsightEvent, Row } from '../src/core/model.ts'
import type { Connection } from '../src/hub/session.ts'

interface Message {
  readonly t: string
  readonly id?: string
  readonly epoch?: string
  readonly seq?: number
  readonly n?: number
  readonly reason?: string
  readonly rows?: readonly { readonly kind: string; readonly key: string; readonly row: Row }[]
  readonly e?: readonly InsightEvent[]
}

export class TestClient {
  rows = new Map<string, Row>()
  at: { epoch: string; seq: number } | undefined
  resets: string[] = []
  replays = 0
  isLive = false
  closedWith: number | undefined
  readonly received: Message[] = []
  #next: Map<string, Row> | undefined
  #epoch = ''
  #messages = 0

  hello(): string[] {
    this.#messages = 0
    this.isLive = false
    // Half a snapshot of a connection that broke is nothing.
    this.#next = undefined
    return [JSON.stringify({ t: 'hello' }), JSON.stringify({ t: 'sub', id: 'all', cluster: 'dev', topics: ['*'], from: this.at })]
  }

  receive(text: string): void {
    const message = JSON.parse(text) as Message
    this.received.push(message)
    switch (message.t) {
      case 'reset':
        this.resets.push(message.reason ?? '')
        this.#next = new Map()
        this.#epoch = message.epoch ?? ''
        this.isLive = false
        break
      case 'rows':
        for (const { kind, key, row } of message.rows ?? []) this.#next?.set(`${kind}\n${key}`, row)
        break
      case 'ev':
        if (message.n !== ++this.#messages) throw new Error(`message ${message.n} after ${this.#messages - 1}`)
        for (const event of message.e ?? []) this.#apply(event)
        break
      case 'live':
        if (this.#next === undefined) this.replays++
        else {
          this.rows = this.#next
          this.#next = undefined
        }
        this.at = { epoch: message.epoch ?? this.#epoch, seq: message.seq ?? 0 }
        this.isLive = true
        break
      case 'mark':
        if (this.at !== undefined) this.at = { ...this.at, seq: message.seq ?? 0 }
        break
      default:
        break
    }
  }

  #apply(event: InsightEvent): void {
    if (this.at !== undefined && this.#next === undefined) {
      if (event.seq <= this.at.seq) throw new Error(`event ${event.seq} came again after ${this.at.seq}`)
      this.at = { ...this.at, seq: event.seq }
    }
    foldInto(this.#next ?? this.rows, event)
  }
}

/** A socket without a network: what was sent arrives when it is pumped, so it can be slow or stuck. */
export class TestConnection implements Connection {
  readonly peer: string
  readonly #client: TestClient
  #queue: string[] = []
  #bytes = 0
  isStuck = false
  isClosed = false

  constructor(client: TestClient, peer = '127.0.0.1') {
    this.#client = client
    this.peer = peer
  }

  get bufferedAmount(): number {
    return this.#bytes
  }

  send(text: string): void {
    if (this.isClosed) return
    this.#queue.push(text)
    this.#bytes += text.length
    if (!this.isStuck) this.pump()
  }

  pump(): void {
    const queue = this.#queue
    this.#queue = []
    this.#bytes = 0
    if (!this.isClosed) for (const text of queue) this.#client.receive(text)
  }

  close(code: number): void {
    this.isClosed = true
    this.#client.closedWith = code
  }
}
