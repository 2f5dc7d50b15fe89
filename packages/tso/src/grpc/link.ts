/** One stream to one address. It ends once, with a reason, and does not come back. */
import type { ChannelCredentials, Client, ClientDuplexStream } from '@grpc/grpc-js'
import type { TimestampRequest, TimestampResponse } from './codec.ts'
import { healthMethod, streamMethod } from './definition.ts'
import type { GrpcDriver } from './driver.ts'

/** Each link is a channel of its own: how soon to try again is decided by who owns the links, not by a shared channel. */
const CHANNEL_OPTIONS = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.max_receive_message_length': 4_096,
  'grpc.enable_retries': 0,
}

export interface LinkEvents {
  onResponse(response: TimestampResponse): void
  /** At most once, and never after {@link Link.close}. */
  onEnd(reason: unknown): void
}

export class Link {
  readonly address: string
  readonly #client: Client
  readonly #call: ClientDuplexStream<TimestampRequest, TimestampResponse>
  #ended = false

  constructor(driver: GrpcDriver, address: string, credentials: ChannelCredentials, events: LinkEvents) {
    this.address = address
    this.#client = new driver.Client(address, credentials, CHANNEL_OPTIONS)
    const { path, requestSerialize, responseDeserialize } = streamMethod
    this.#call = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize)
    const end = (reason: unknown): void => {
      if (this.#ended) return
      this.close()
      events.onEnd(reason)
    }
    this.#call.on('data', (response: TimestampResponse) => {
      if (!this.#ended) events.onResponse(response)
    })
    this.#call.on('error', end)
    this.#call.on('end', () => end(new Error(`${address} ended the stream`)))
  }

  send(request: TimestampRequest): void {
    this.#call.write(request)
  }

  close(): void {
    if (this.#ended) return
    this.#ended = true
    this.#call.cancel()
    this.#client.close()
  }
}

/** The status of gRPC's health service at `address`. */
export function askHealth(driver: GrpcDriver, address: string, credentials: ChannelCredentials, deadline: Date): Promise<number> {
  const client = new driver.Client(address, credentials, CHANNEL_OPTIONS)
  const { path, requestSerialize, responseDeserialize } = healthMethod
  return new Promise<number>((resolve, reject) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, {}, { deadline }, (error, value) => {
      if (error === null) resolve(value ?? 0)
      else reject(error)
    })
  }).finally(() => client.close())
}
