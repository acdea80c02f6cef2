/**
 * Small numbers for things that many sets and maps hold, so that those are bits and arrays instead of hash tables: a thousand streams that
 * watch ten thousand names each would need a gigabyte otherwise (xds.md 2.1, technique 9). A number is given anew when nobody holds it.
 */
export class Interner<T> {
  readonly #ids = new Map<T, number>()
  readonly #items: (T | undefined)[] = []
  readonly #holders: number[] = []
  readonly #free: number[] = []

  /** The number of an item that somebody holds. */
  get(item: T): number | undefined {
    return this.#ids.get(item)
  }

  /** What a number stands for; undefined if nobody holds it. */
  item(id: number): T | undefined {
    return this.#items[id]
  }

  /** Holds an item once more; gives its number. */
  hold(item: T): number {
    let id = this.#ids.get(item)
    if (id === undefined) {
      id = this.#free.pop() ?? this.#items.length
      this.#ids.set(item, id)
      this.#items[id] = item
      this.#holders[id] = 0
    }
    this.#holders[id] = (this.#holders[id] ?? 0) + 1
    return id
  }

  /** Gives back what one `hold` took. */
  release(id: number): void {
    const item = this.#items[id]
    const left = (this.#holders[id] ?? 0) - 1
    this.#holders[id] = left
    if (left > 0 || item === undefined) return
    this.#ids.delete(item)
    this.#items[id] = undefined
    this.#free.push(id)
  }
}

/** A set of items that holds a bit for each. Its order is that of the numbers. */
export class BitSet<T> {
  readonly #interner: Interner<T>
  /** 32 in each. */
  readonly #words: number[] = []
  #size = 0

  constructor(interner: Interner<T>) {
    this.#interner = interner
  }

  get size(): number {
    return this.#size
  }

  has(item: T): boolean {
    const id = this.#interner.get(item)
    return id !== undefined && ((this.#words[id >>> 5] ?? 0) & (1 << (id & 31))) !== 0
  }

  /** Gives false if it was there. */
  add(item: T): boolean {
    if (this.has(item)) return false
    const id = this.#interner.hold(item)
    this.#words[id >>> 5] = (this.#words[id >>> 5] ?? 0) | (1 << (id & 31))
    this.#size++
    return true
  }

  /** Gives false if it was not there. */
  delete(item: T): boolean {
    const id = this.#interner.get(item)
    if (id === undefined || !this.has(item)) return false
    this.#words[id >>> 5] = (this.#words[id >>> 5] ?? 0) & ~(1 << (id & 31))
    this.#interner.release(id)
    this.#size--
    return true
  }

  clear(): void {
    for (const item of this) this.delete(item)
    this.#words.length = 0
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let place = 0; place < this.#words.length; place++) {
      for (let word = this.#words[place] ?? 0; word !== 0; word &= word - 1) {
        const item = this.#interner.item(place * 32 + 31 - Math.clz32(word & -word))
        if (item !== undefined) yield item
      }
    }
  }
}

/** A map from items to values: one array by the numbers of the items. Its order is that of the numbers. */
export class InternedMap<T, V> {
  readonly #interner: Interner<T>
  readonly #values: (V | undefined)[] = []

  constructor(interner: Interner<T>) {
    this.#interner = interner
  }

  get(item: T): V | undefined {
    const id = this.#interner.get(item)
    return id === undefined ? undefined : this.#values[id]
  }

  set(item: T, value: V): void {
    const known = this.#interner.get(item)
    const id = known === undefined || this.#values[known] === undefined ? this.#interner.hold(item) : known
    this.#values[id] = value
  }

  delete(item: T): void {
    const id = this.#interner.get(item)
    if (id === undefined || this.#values[id] === undefined) return
    this.#values[id] = undefined
    this.#interner.release(id)
  }

  *keys(): Iterable<T> {
    for (let id = 0; id < this.#values.length; id++) {
      const item = this.#values[id] === undefined ? undefined : this.#interner.item(id)
      if (item !== undefined) yield item
    }
  }
}
