/** What must hold in a cluster at every moment, seen from beside it: whatever clients happen to notice. */
import type { KVBase, Pairs, TransactionOptions } from '@timetick/kv'
import { positionFromJson, type MsgPositionJson } from '@timetick/msgstream'
import { listSessions } from '@timetick/watchdog/session'
import type { ChannelApi } from '../../src/cluster/apis.ts'
import { CHANNEL_ROOT } from '../../src/cluster/channel-assigner.ts'
import { decodeAssignment } from '../../src/cluster/channel-plan.ts'
import type { CatalogWriter } from '../../src/coordinator/api.ts'
import type { ClusterMember } from '../../src/cluster/member.ts'
import { memberOf, SESSION_NAME, SESSION_ROOT } from '../../src/cluster/membership.ts'
import type { World } from '../sim/world.ts'
import { TargetRule } from './target-rule.ts'

const REVISION = 'meta/revision'
const CHECKPOINT = 'meta/checkpoint/'

export class ClusterRules {
  readonly #world: World
  readonly #kv: KVBase
  readonly #members: () => readonly ClusterMember[]
  readonly #checkpoints = new Map<string, bigint>()
  readonly #targets: TargetRule
  #token = 0n
  /** The store, seen by this. */
  readonly kv: KVBase

  constructor(world: World, kv: KVBase, members: () => readonly ClusterMember[]) {
    this.#world = world
    this.#kv = kv
    this.#members = members
    this.#targets = new TargetRule(world, members)
    this.kv = new Proxy(kv, {
      get: (_target, property) => {
        const value: unknown = Reflect.get(kv, property, kv)
        if (property === 'multiSaveAndRemove') return (...args: Parameters<KVBase['multiSaveAndRemove']>) => this.#write(...args)
        return typeof value === 'function' ? (...args: unknown[]): unknown => Reflect.apply(value, kv, args) : value
      },
    })
  }

  follow(member: ClusterMember): void {
    this.#followOwner(member)
    this.#followDefinitions(member)
  }

  /** Whoever made or dropped a collection through a proxy finds it so there. */
  #followDefinitions({ coordinator, mirror }: ClusterMember): void {
    const { catalog } = coordinator
    const check = (what: string, isKnown: boolean): void => {
      if (!isKnown) this.#world.violated(`a proxy answered ${what} before it knew of it`)
    }
    const watched: CatalogWriter = {
      ...catalog,
      createCollection: async (request) => {
        const made = await catalog.createCollection(request)
        check('createCollection', mirror.collectionById(made.id) !== undefined)
        return made
      },
      dropCollection: async (dbName, name) => {
        const before = mirror.findCollection(dbName, name)
        await catalog.dropCollection(dbName, name)
        check('dropCollection', before === undefined || mirror.collectionById(before.id) === undefined)
      },
    }
    Object.defineProperty(coordinator, 'catalog', { get: () => watched })
  }

  /** What the owner of a channel acknowledges, it acknowledges under its lease. */
  #followOwner({ membership, own: { host } }: ClusterMember): void {
    if (host === undefined) return
    const append: ChannelApi['append'] = host.append.bind(host)
    const watched: ChannelApi['append'] = async (request, options) => {
      const { id } = membership
      const reply = await append(request, options)
      void this.#checkLease(id, request.pchannel)
      return reply
    }
    Reflect.set(host, 'append', watched)
  }

  async #checkLease(id: string, pchannel: string): Promise<void> {
    const { sessions } = await listSessions(this.#kv, { rootPath: SESSION_ROOT, name: SESSION_NAME })
    if ([...sessions.values()].some((session) => memberOf(session)?.id === id)) return
    this.#world.violated(`the owner of ${pchannel} acknowledged a write without a lease`)
  }

  async #write(saves: Pairs, removals: readonly string[], options?: TransactionOptions): ReturnType<KVBase['multiSaveAndRemove']> {
    const pairs = new Map(saves instanceof Map ? (saves as ReadonlyMap<string, string>) : Array.isArray(saves) ? (saves as readonly (readonly [string, string])[]) : Object.entries(saves))
    const held = [...pairs].filter(([key]) => key.startsWith(CHANNEL_ROOT)).flatMap(([key, value]) => this.#holders(key.slice(CHANNEL_ROOT.length), value))
    const result = await this.#kv.multiSaveAndRemove(pairs, removals, options)
    if (!result.applied) return result
    for (const violation of held) this.#world.violated(violation)
    this.#targets.written(pairs, removals)
    for (const [key, value] of pairs) {
      if (key === REVISION) this.#checkToken(BigInt(value))
      else if (key.startsWith(CHECKPOINT)) this.#checkCheckpoint(key.slice(CHECKPOINT.length), value)
    }
    return result
  }

  #checkToken(token: bigint): void {
    if (token < this.#token) this.#world.violated('metadata were written by a leader that had been replaced')
    else this.#token = token
  }

  #checkCheckpoint(pchannel: string, text: string): void {
    const { timestamp } = positionFromJson(JSON.parse(JSON.parse(text) as string) as MsgPositionJson)
    if (timestamp < (this.#checkpoints.get(pchannel) ?? 0n)) this.#world.violated(`the checkpoint of ${pchannel} went back`)
    else this.#checkpoints.set(pchannel, timestamp)
  }

  /** Others that hold a channel at the moment when it is given away. */
  #holders(pchannel: string, text: string): string[] {
    const { owner, epoch } = decodeAssignment(text)
    if (owner === '') return []
    return this.#members().flatMap(({ membership, own }) =>
      (own.host?.channels ?? [])
        .filter(({ duty }) => duty.pchannel === pchannel && duty.isHeld() && (membership.id !== owner || duty.epoch !== epoch))
        .map(() => `${pchannel} was given to ${owner} while ${membership.id} had it`),
    )
  }
}
