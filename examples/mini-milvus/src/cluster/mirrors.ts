/**
 * What a process mirrors of the metadata store, by name. Whoever changes something waits until every proxy's mirror shows it, or the
 * proxy serves nobody any more.
 */
export interface Mirror {
  /** Resolves when every change up to `revision` is seen here. */
  waitFor(revision: bigint, signal?: AbortSignal, timeoutMs?: number): Promise<void>
  /** Resolves when everything is seen here that was stored before the call. */
  catchUp(signal?: AbortSignal): Promise<void>
}

/** The mirror that every process has. */
export const CATALOG = 'catalog'

export class Mirrors {
  readonly #mirrors = new Map<string, Promise<Mirror>>()

  /** From now on it is waited for: it may still be opening, but must not have read anything yet. */
  add(name: string, opening: Promise<Mirror>): void {
    this.#mirrors.set(name, opening)
    opening.catch(() => this.#mirrors.delete(name))
  }

  /** A mirror that is not kept here yet begins with what is stored: there is nothing to wait for. */
  async waitFor(name: string, revision: bigint, signal?: AbortSignal): Promise<void> {
    const mirror = await this.#mirrors.get(name)
    await mirror?.waitFor(revision, signal)
  }

  async catchUp(): Promise<void> {
    await Promise.all([...this.#mirrors.values()].map(async (opening) => (await opening).catchUp()))
  }
}
