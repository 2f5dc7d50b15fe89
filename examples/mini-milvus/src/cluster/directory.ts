/** Who is in the cluster, as far as this process has heard: for finding others, never a proof that somebody lives or is gone. */
import type { KVBase } from '@timetick/kv'
import { watchSessions } from '@timetick/watchdog/session'
import type { NodeClock } from '../edge/system.ts'
import { type ClusterRole, type Member, memberOf, SESSION_ROOT } from './membership.ts'

export interface DirectoryOptions {
  readonly kv: Pick<KVBase, 'loadWithPrefix' | 'watchWithPrefix'>
  readonly clock: NodeClock
  readonly onChange?: (() => void) | undefined
  readonly onProblem: (message: string, error: unknown) => void
}

export class Directory {
  readonly #members = new Map<string, Member>()
  readonly #options: DirectoryOptions
  readonly #closed = new AbortController()
  readonly #listeners = new Set<() => void>()
  readonly #ready: Promise<void>
  #isReady: () => void = () => undefined
  #running: Promise<void> = Promise.resolve()

  private constructor(options: DirectoryOptions) {
    this.#options = options
    this.#ready = new Promise((resolve) => (this.#isReady = resolve))
  }

  /** Resolves when the first list is there: everyone who was registered when this was called and still is. */
  static async open(options: DirectoryOptions): Promise<Directory> {
    const directory = new Directory(options)
    directory.#running = directory.#follow()
    await directory.#ready
    return directory
  }

  /** By node id. */
  members(role?: ClusterRole): Member[] {
    const all = [...this.#members.values()].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1))
    return role === undefined ? all : all.filter(({ roles }) => roles.includes(role))
  }

  /** An incarnation, while it is there. */
  find(id: string): Member | undefined {
    return [...this.#members.values()].find((member) => member.id === id)
  }

  onChange(listener: () => void): () => void {
    const entry = (): void => listener()
    this.#listeners.add(entry)
    return () => this.#listeners.delete(entry)
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error('closed'))
    this.#isReady()
    await this.#running
  }

  async #follow(): Promise<void> {
    const { kv, clock, onProblem } = this.#options
    const { signal } = this.#closed
    while (!signal.aborted) {
      try {
        for await (const event of watchSessions(kv, { rootPath: SESSION_ROOT, name: 'node', clock, signal, onProblem: (error) => onProblem('sessions could not be followed', error) })) {
          if (event.type === 'snapshot') this.#members.clear()
          const changes = event.type === 'snapshot' ? [...event.sessions].map(([key, session]) => ({ type: 'added' as const, key, session })) : event.changes
          for (const { type, key, session } of changes) {
            const member = type === 'removed' ? undefined : memberOf(session)
            if (member === undefined) this.#members.delete(key)
            else this.#members.set(key, member)
          }
          this.#isReady()
          this.#options.onChange?.()
          for (const listener of Array.from(this.#listeners)) listener()
        }
      } catch (error) {
        if (signal.aborted) return
        onProblem('sessions could not be followed', error)
        await new Promise<void>((resolve) => {
          clock.setTimer(resolve, 200)
        })
      }
    }
  }
}
