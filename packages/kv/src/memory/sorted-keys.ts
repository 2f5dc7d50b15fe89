/** Keys in byte order: sorted lists of a few hundred, themselves in order. A key behind all others, the usual one, is only appended. */
import { compareKeys, isWide } from '../order.ts'

const MOST = 512

export class SortedKeys {
  /** None is empty. */
  #lists: string[][] = []
  /** Plain `<` gives byte order as long as no key has surrogates or units above them. */
  #wide = false

  /** Adds a key that is not there. */
  add(key: string): void {
    this.#wide ||= isWide(key)
    const last = this.#lists.at(-1)
    const greatest = last?.at(-1)
    if (last === undefined || greatest === undefined) this.#lists.push([key])
    else if (this.#isBefore(greatest, key)) this.#append(last, key)
    else this.#insert(key)
  }

  /** Removes a key that is there. */
  remove(key: string): void {
    const index = this.#listOf(key)
    const list = this.#lists[index]
    if (list === undefined) return
    list.splice(this.#placeIn(list, key), 1)
    const next = this.#lists[index + 1]
    if (list.length === 0) this.#lists.splice(index, 1)
    else if (next !== undefined && list.length + next.length < MOST / 2) this.#lists.splice(index, 2, list.concat(next))
  }

  clear(): void {
    this.#lists = []
  }

  /** Visits the keys at or behind `low` in order, until `visit` gives false. Nothing may be added or removed meanwhile. */
  walk(low: string, visit: (key: string) => boolean): void {
    this.#wide ||= isWide(low)
    let index = this.#listOf(low)
    let at = this.#placeIn(this.#lists[index] ?? [], low)
    for (let list = this.#lists[index]; list !== undefined; list = this.#lists[++index], at = 0) {
      for (; at < list.length; at++) if (!visit(list[at] ?? '')) return
    }
  }

  #append(last: string[], key: string): void {
    if (last.length < MOST) last.push(key)
    else this.#lists.push([key])
  }

  #insert(key: string): void {
    const index = this.#listOf(key)
    const list = this.#lists[index] ?? []
    list.splice(this.#placeIn(list, key), 0, key)
    if (list.length > MOST) this.#lists.splice(index + 1, 0, list.splice(MOST / 2))
  }

  #isBefore(a: string, b: string): boolean {
    return this.#wide ? compareKeys(a, b) < 0 : a < b
  }

  /** Index of the first list that has a key at or behind `key`. */
  #listOf(key: string): number {
    let low = 0
    let high = this.#lists.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#isBefore(this.#lists[middle]?.at(-1) ?? '', key)) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Index of the first key at or behind `key`. */
  #placeIn(list: readonly string[], key: string): number {
    let low = 0
    let high = list.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#isBefore(list[middle] ?? '', key)) low = middle + 1
      else high = middle
    }
    return low
  }
}
