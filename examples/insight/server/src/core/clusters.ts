/** The clusters that are configured: nobody can make the server dial another address. */
import { Cluster, type ClusterOptions } from './cluster.ts'

export class Clusters {
  readonly #clusters = new Map<string, Cluster>()

  constructor(options: readonly ClusterOptions[]) {
    for (const one of options) {
      if (!/^[A-Za-z0-9_.-]{1,64}$/.test(one.id)) throw new RangeError(`expected a cluster's name of letters, digits, dots, hyphens and underscores, got ${JSON.stringify(one.id)}`)
      if (this.#clusters.has(one.id)) throw new RangeError(`two clusters are named ${one.id}`)
      this.#clusters.set(one.id, new Cluster(one))
    }
  }

  get(id: string): Cluster | undefined {
    return this.#clusters.get(id)
  }

  [Symbol.iterator](): Iterator<Cluster> {
    return this.#clusters.values()
  }

  async close(): Promise<void> {
    await Promise.all([...this.#clusters.values()].map((cluster) => cluster.disconnect()))
  }
}
