import { describe, expect, it } from 'vitest'
import { Alone } from '../../src/engine/alone.ts'

function turns() {
  const callbacks: (() => void)[] = []
  return { alone: new Alone((callback) => callbacks.push(callback)), end: () => callbacks.splice(0).forEach((callback) => callback()) }
}

describe('searches that come alone', () => {
  it('are those of different turns, while no worker is asked', () => {
    const { alone, end } = turns()
    for (let i = 0; i < 5; i++) {
      expect(alone.came(true)).toBe(true)
      end()
    }
  })

  it('are not those of one turn, nor those that come while a worker searches', () => {
    const { alone, end } = turns()
    expect(alone.came(true)).toBe(true)
    expect(alone.came(true)).toBe(false)
    end()
    const other = turns()
    expect(other.alone.came(false)).toBe(false)
  })

  it('are believed to be alone again after 32 that met nobody, and not before', () => {
    const { alone, end } = turns()
    alone.came(false)
    const after = (): number => {
      for (let i = 1; ; i++) {
        end()
        if (alone.came(true)) return i
      }
    }
    expect(after()).toBe(32)
    end()
    alone.came(false)
    for (let i = 0; i < 31; i++) {
      end()
      expect(alone.came(true)).toBe(false)
    }
    end()
    alone.came(false)
    expect(after()).toBe(32)
  })
})
