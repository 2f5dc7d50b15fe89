/**
 * Commits over several channels, as the owner of one of them has them: from the begin of one to its decision the channel's time stands
 * still below its timestamp, so that readers come to its parts when it is known whether they count. Who decides is the record in the metadata
 * store, and nobody else: a proxy that says nothing any more is not waited for, but excluded (see `commit-fence.ts`), and then the store asked.
 */
import type { KVBase } from '@timetick/kv'
import { encodeEnvelope, type MqProducer, type TimeTickProducer, type TsMsg } from '@timetick/msgstream'
import { decisionRecord, holdRecord } from '../channel/commit-records.ts'
import type { NodeClock } from '../edge/system.ts'
import { RpcError } from '../internal/errors.ts'
import { decodeMeta } from '../model/meta.ts'
import { COMMITS } from '../staging/commit-keys.ts'
import type { Transaction } from '../staging/transactions.ts'
import type { CommitFence } from './commit-fence.ts'
import { Pauses } from '../staging/pauses.ts'

export interface ChannelHoldsOptions {
  readonly pchannel: string
  readonly kv: Pick<KVBase, 'load'>
  readonly fence: CommitFence
  readonly ticks: Pick<TimeTickProducer, 'write'>
  /** Of this owner's epoch, for what bears the timestamp of a commit. */
  readonly openProducer: () => Promise<MqProducer>
  /** A proxy that says nothing for so long is not waited for. */
  readonly timeoutMs: number
  readonly clock: Pick<NodeClock, 'setTimer'>
  /** The channel is this owner's still. */
  readonly isHeld: () => boolean
  /** The channel must be given to somebody anew. */
  readonly onFailure: (error: Error) => void
}

interface Hold {
  readonly id: string
  /** 0n until it is in the log. */
  ts: bigint
  readonly begun: Promise<void>
  /** Lets time go on; with an error never again. */
  readonly end: (error?: Error) => void
  cancelTimer: () => void
  /** Calls of the proxy that were taken. */
  parts: number
  partTs: bigint
  appending: Promise<void>
  isBroken: boolean
  /** From then on no part is taken. */
  settling: Promise<void> | undefined
}

/** Each is a flush of some proxy, which does them one by one. */
const MAX_HOLDS = 1_000
const RETRY_MS = 100

export class ChannelHolds {
  readonly #options: ChannelHoldsOptions
  readonly #holds = new Map<string, Hold>()
  readonly #pauses: Pauses
  #producer: Promise<MqProducer> | undefined
  #closed = false

  constructor(options: ChannelHoldsOptions) {
    this.#options = options
    this.#pauses = new Pauses(options.clock)
  }

  get size(): number {
    return this.#holds.size
  }

  /** Resolves when time stands still for this commit. May be asked again. @returns the revision of {@link CommitFence} on which it depends */
  async hold(id: string): Promise<bigint> {
    const { fence, pchannel } = this.#options
    let hold = this.#holds.get(id)
    if (hold === undefined) {
      if (this.#holds.size >= MAX_HOLDS) throw new RpcError('RPC_OVERLOADED', `${this.#holds.size} commits are under way on ${pchannel}`, { outcome: 'not-applied' })
      hold = this.#begin(id)
    }
    await hold.begun
    const revision = await fence.revision()
    this.#assertOpen(hold)
    return revision
  }

  /** The proxy is there: it is waited for. */
  touch(id: string): void {
    const hold = this.#holds.get(id)
    if (hold !== undefined && hold.ts > 0n) this.#watch(hold)
  }

  /**
   * Resolves when the parts are in the log. The same call may come again, as its answer may have been lost; the next one only behind its
   * answer. Rejects with `RPC_FENCED`, surely of no effect, when the commit is not held here, or no longer.
   * @param ts of the commit: later than its hold
   */
  async append({ id, index, ts }: { readonly id: string; readonly index: number; readonly ts: bigint }, build: () => readonly TsMsg[]): Promise<void> {
    const hold = this.#find(id)
    if (ts <= hold.ts || (hold.partTs !== 0n && hold.partTs !== ts) || index > hold.parts) throw new RpcError('RPC_MALFORMED', `part ${index} at ${ts} does not belong to commit ${id.slice(0, 100)}`, { outcome: 'not-applied' })
    if (index === hold.parts) {
      hold.parts++
      hold.partTs = ts
      hold.appending = this.#send(build()).catch((error: unknown) => {
        // Nothing of it counts if it comes into the log late: the commit has to begin again.
        hold.isBroken = true
        throw gone(id, error)
      })
      hold.appending.catch(() => undefined)
    }
    await hold.appending
    this.#assertOpen(hold)
    this.#watch(hold)
  }

  /** It is decided: resolves when time goes on. Ignored where nothing is held. @param committed undefined: nothing of it counts, or ever will */
  async decide(id: string, committed: Transaction | undefined): Promise<void> {
    const hold = this.#holds.get(id)
    if (hold === undefined) return
    hold.settling ??= this.#settle(hold, async () => committed)
    await hold.settling
  }

  /** What is not decided yet is the next owner's: time stands still until then. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true
    this.#pauses.wake()
    const closed = new RpcError('RPC_CLOSED', `${this.#options.pchannel} is given up before a commit was decided`, { outcome: 'unknown' })
    for (const hold of this.#holds.values()) this.#remove(hold, closed)
    const producer = this.#producer
    this.#producer = undefined
    await producer?.then((one) => one.close(), () => undefined)
  }

  #begin(id: string): Hold {
    const { ticks, pchannel, onFailure } = this.#options
    let end: Hold['end'] = () => undefined
    const decided = new Promise<void>((resolve, reject) => (end = (error) => (error === undefined ? resolve() : reject(error))))
    // Whoever decides may do so before the log has answered.
    decided.catch(() => undefined)
    let begun = (): void => undefined
    let failed = (_error: unknown): void => undefined
    const hold: Hold = {
      id, ts: 0n, end, parts: 0, partTs: 0n, isBroken: false, settling: undefined,
      begun: new Promise<void>((resolve, reject) => ((begun = resolve), (failed = reject))),
      appending: Promise.resolve(), cancelTimer: () => undefined,
    }
    hold.begun.catch(() => undefined)
    this.#holds.set(id, hold)
    const confirm = (ts: bigint): Promise<void> => {
      hold.ts = ts
      if (this.#holds.get(id) === hold && hold.settling === undefined) this.#watch(hold)
      begun()
      return decided
    }
    ticks.write(() => [{ channel: pchannel, msgs: [holdRecord(id)] }], [pchannel], { confirm }).catch((error: unknown) => {
      if (this.#holds.get(id) === hold) this.#remove(hold)
      failed(error)
      // Whether it was decided meanwhile or not: behind a write that may come later no time is told any more.
      if (hold.ts === 0n && !this.#closed && (error as { readonly outcome?: unknown }).outcome !== 'not-applied') onFailure(error instanceof Error ? error : new Error(String(error)))
    })
    return hold
  }

  #watch(hold: Hold): void {
    hold.cancelTimer()
    if (hold.settling !== undefined || this.#closed) return
    hold.cancelTimer = this.#options.clock.setTimer(() => {
      hold.settling ??= this.#settle(hold, () => this.#lookUp(hold.id))
    }, this.#options.timeoutMs)
  }

  /** What the store says, when it can not say anything else any more. */
  async #lookUp(id: string): Promise<Transaction | undefined> {
    const { fence, kv, pchannel } = this.#options
    if (!(await fence.renew())) throw new RpcError('RPC_NOT_OWNER', `${pchannel} is another's by now`, { outcome: 'not-applied', retryable: false })
    const text = await kv.load(COMMITS + id)
    return text === undefined ? undefined : decodeMeta<Transaction>(text)
  }

  /** For as long as it takes, or until somebody else has the channel. */
  async #settle(hold: Hold, outcome: () => Promise<Transaction | undefined>): Promise<void> {
    const { onFailure, isHeld } = this.#options
    hold.cancelTimer()
    while (!this.#closed && isHeld()) {
      try {
        const committed = await outcome()
        if (committed !== undefined) await this.#send([decisionRecord(hold.id, committed)])
        return this.#remove(hold)
      } catch (error) {
        if (error instanceof RpcError && error.code === 'RPC_NOT_OWNER' && !error.retryable) return onFailure(error)
        await this.#pauses.pause(RETRY_MS)
      }
    }
  }

  /** Behind a failure with another producer: this one may take nothing any more. What comes twice, or late, changes nothing. */
  async #send(msgs: readonly TsMsg[]): Promise<void> {
    if (this.#closed) throw gone('', undefined)
    const opened = (this.#producer ??= this.#options.openProducer())
    try {
      const producer = await opened
      await producer.send(msgs.map((msg) => encodeEnvelope(msg)))
    } catch (error) {
      if (this.#producer === opened) {
        this.#producer = undefined
        opened.then((producer) => producer.close()).catch(() => undefined)
      }
      throw error
    }
  }

  #find(id: string): Hold {
    const hold = this.#holds.get(id)
    if (hold === undefined || hold.ts === 0n) throw gone(id, undefined)
    this.#assertOpen(hold)
    return hold
  }

  /** Asked behind each await: the hold may have been given up, or the lease have ended, and with it all that was said. */
  #assertOpen(hold: Hold): void {
    if (this.#holds.get(hold.id) !== hold || hold.settling !== undefined || hold.isBroken || !this.#options.isHeld()) throw gone(hold.id, undefined)
  }

  #remove(hold: Hold, error?: Error): void {
    hold.cancelTimer()
    this.#holds.delete(hold.id)
    hold.end(error)
  }
}

/** The commit has to begin again: what is in the log of it counts for nobody. */
function gone(id: string, cause: unknown): RpcError {
  return new RpcError('RPC_FENCED', `commit ${id.slice(0, 100)} is not held here any more`, { cause, outcome: 'not-applied', retryable: false })
}
