/** How a client of the simulation is connected: by a socket that is all it is known by, or as an identifier over one socket or several. */
import type { Init, Rpcs } from '../../src/wire/index.ts'
import type { RpcName } from '../../src/server/handlers.ts'
import type { SimulatedNode } from './sim-node.ts'
import type { World } from './world.ts'

/** Less than the grace of the simulated nodes, with the way of a call. */
const SHORT_MS = 60
const LONG_MS = 300

export class StageConnection {
  readonly node: SimulatedNode
  /** What the node knows it by. */
  readonly name: string
  readonly #world: World
  readonly #identifier: bigint | undefined
  readonly #base: string
  #sockets: string[] = []
  #count = 0

  constructor(world: World, node: SimulatedNode, base: string, identifier: bigint | undefined) {
    this.#world = world
    this.node = node
    this.#base = base
    this.#identifier = identifier
    this.#open(identifier === undefined ? 1 : world.random.integer(1, 3))
    this.name = identifier === undefined ? (this.#sockets[0] as string) : String(identifier)
  }

  get hasIdentifier(): boolean {
    return this.#identifier !== undefined
  }

  call<Name extends RpcName>(rpc: Name, request: Init<Rpcs[Name]['request']>): Promise<Rpcs[Name]['response']> {
    const { random } = this.#world
    const peer = this.#sockets.length === 1 ? (this.#sockets[0] as string) : random.pick(this.#sockets)
    return this.node.call(rpc, request, { peer, identifier: this.#identifier })
  }

  /** All sockets close, and others open: in time, or too late. */
  async reconnect(isInTime: boolean): Promise<void> {
    this.close()
    const { random } = this.#world
    await this.#world.sleep(isInTime ? random.integer(0, SHORT_MS) : LONG_MS)
    this.#open(random.integer(1, 3))
    await this.call('HasCollection', { collection_name: 'any' }).catch(() => undefined)
  }

  close(): void {
    for (const socket of this.#sockets) this.node.disconnect(socket)
    this.#sockets = []
  }

  #open(count: number): void {
    for (let index = 0; index < count; index++) {
      const socket = `${this.#base}-${(this.#count += 1)}`
      this.#sockets.push(socket)
      this.node.connect(socket)
    }
  }
}
