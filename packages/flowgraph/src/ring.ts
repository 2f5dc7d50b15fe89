/** A FIFO that grows as needed and never shrinks below what it grew to; its owner keeps it bounded. */
export class Ring<T> {
  #items: (T | undefined)[] = [undefined, undefined, undefined, undefined]
  #mask = 3
  #head = 0
  length = 0

  push(item: T): void {
    if (this.length > this.#mask) this.#grow()
    this.#items[(this.#head + this.length) & this.#mask] = item
    this.length++
  }

  peek(): T | undefined {
    return this.length === 0 ? undefined : this.#items[this.#head]
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined
    const item = this.#items[this.#head]
    this.#items[this.#head] = undefined
    this.#head = (this.#head + 1) & this.#mask
    this.length--
    return item
  }

  forEach(visit: (item: T) => void): void {
    for (let i = 0; i < this.length; i++) visit(this.#items[(this.#head + i) & this.#mask] as T)
  }

  clear(): void {
    this.#items = [undefined, undefined, undefined, undefined]
    this.#mask = 3
    this.#head = 0
    this.length = 0
  }

  #grow(): void {
    const items = this.#items
    const size = items.length
    const grown = Array.from({ length: size * 2 }, (_, i) => (i < size ? items[(this.#head + i) & this.#mask] : undefined))
    this.#items = grown
    this.#mask = size * 2 - 1
    this.#head = 0
  }
}
