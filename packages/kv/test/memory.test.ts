import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isKVError, KVError, withPrefix } from '../src/index.ts'
import { createMemoryKV } from '../src/memory.ts'
import { compareKeys, endOfPrefix, isWide } from '../src/order.ts'
import { ManualClock } from './manual-clock.ts'

describe('compareKeys', () => {
  const texts = fc.string({ unit: fc.constantFrom('a', 'b', '\0', '\u00e9', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{1F600}', '\u{10ffff}'), maxLength: 4 })

  it('orders as the UTF-8 bytes do', () => {
    fc.assert(fc.property(texts, texts, (a, b) => {
      expect(Math.sign(compareKeys(a, b))).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))))
    }))
  })

  it('ends a prefix behind all that begin with it, and before all else', () => {
    fc.assert(fc.property(texts, texts, (prefix, text) => {
      const end = endOfPrefix(prefix)
      const isBefore = end === undefined || compareKeys(text, end) < 0
      expect(compareKeys(text, prefix) >= 0 && isBefore).toBe(text.startsWith(prefix))
    }))
    expect([endOfPrefix(''), endOfPrefix('\u{10ffff}\u{10ffff}'), endOfPrefix('a\u{10ffff}'), endOfPrefix('\ud7ff')]).toEqual([undefined, undefined, 'b', '\ue000'])
  })

  it('agrees with < where no text is wide', () => {
    fc.assert(fc.property(texts, texts, (a, b) => {
      fc.pre(!isWide(a) && !isWide(b))
      expect(Math.sign(compareKeys(a, b))).toBe(a < b ? -1 : a === b ? 0 : 1)
    }))
  })
})

describe('createMemoryKV', () => {
  it('refuses bad options', () => {
    const bad = (options: unknown) => () => createMemoryKV(options as never)
    for (const options of [null, 1, { rootPath: 1 }, { maxHistory: '1' }]) expect(bad(options)).toThrow(TypeError)
    for (const options of [{ maxHistory: -1 }, { maxWatchLagBytes: 0 }, { maxTransactionOps: 0.5 }]) expect(bad(options)).toThrow(RangeError)
  })

  it('goes on in byte order when the first wide key comes late', async () => {
    const kv = createMemoryKV()
    for (let index = 0; index < 2000; index++) await kv.save(`k${index % 1000}`, 'x')
    for (const key of ['k\u{1F600}', 'k\uff5e', 'k5\u{1F600}', 'k5\ue000']) await kv.save(key, 'x')
    const { keys } = await kv.loadWithPrefix('')
    expect(keys).toEqual([...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
    expect(keys.length).toBe(1004)
    await kv.close()
  })

  it('ends leases on the injected clock and leaves no timer', async () => {
    const clock = new ManualClock()
    const kv = createMemoryKV({ clock })
    const lease = await kv.grantLease(1000)
    await kv.save('k', '1', { lease })
    clock.advance(999)
    await lease.keepAlive()
    clock.advance(999)
    expect(await kv.has('k')).toBe(true)
    clock.advance(1)
    expect(await kv.has('k')).toBe(false)
    await kv.grantLease(5000)
    await kv.close()
    expect(clock.pending).toBe(0)
  })

  it('takes the lease of no other store', async () => {
    const [one, two] = [createMemoryKV(), createMemoryKV()]
    const lease = await one.grantLease(1000)
    await expect(two.save('k', '1', { lease })).rejects.toSatisfy((error) => isKVError(error, 'KV_LEASE_NOT_FOUND'))
    await Promise.all([one.close(), two.close()])
  })

  it('fails before and after an operation when told to', async () => {
    const seen: string[] = []
    const lost = new KVError('KV_TIMEOUT', 'reply lost', { outcome: 'unknown' })
    const kv = createMemoryKV({
      faults: {
        before(op) {
          seen.push(`${op.name} ${op.keys.join()}`)
          if (op.name === 'save') throw new KVError('KV_UNAVAILABLE', 'down', { outcome: 'not-applied' })
        },
        async after(op) {
          if (op.write && op.keys.includes('lost')) throw lost
        },
      },
    })
    await expect(kv.save('never', '1')).rejects.toSatisfy((error) => isKVError(error, 'KV_UNAVAILABLE'))
    await expect(kv.compareAndSave('lost', 0n, '1')).rejects.toBe(lost)
    expect(await kv.multiLoad(['never', 'lost'])).toEqual([undefined, '1'])
    expect(seen).toEqual(['save never', 'compareAndSave lost', 'multiLoad never,lost'])
    await kv.close()
  })

  it('a delayed write can be aborted before it begins, and never hangs behind close', async () => {
    let release = (): void => undefined
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const kv = createMemoryKV({ faults: { before: () => gate } })
    const controller = new AbortController()
    const aborted = kv.save('a', '1', { signal: controller.signal })
    const late = kv.save('b', '1')
    controller.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    await kv.close()
    release()
    await expect(late).rejects.toSatisfy((error) => isKVError(error, 'KV_CLOSED'))
  })

  it('cuts watches with the revision to resume from', async () => {
    const kv = createMemoryKV()
    const watch = kv.watch('k')
    await kv.save('k', '1')
    const { value } = await watch.next()
    await kv.save('k', '2')
    kv.cutWatches()
    await expect(watch.next()).rejects.toSatisfy((error) => isKVError(error, 'KV_UNAVAILABLE') && error.retryable && error.details['revision'] === value?.revision)
    await kv.close()
  })

  it('a watch that nobody reads is bounded and frees its listener', async () => {
    const kv = createMemoryKV({ maxWatchLagBytes: 10_000 })
    const controller = new AbortController()
    const watch = kv.watchWithPrefix('', { signal: controller.signal })
    for (let index = 0; index < 1000; index++) await kv.save('k', 'x'.repeat(100))
    await expect(watch.next()).rejects.toSatisfy((error) => isKVError(error, 'KV_WATCH_LAGGED'))
    await kv.close()
  })
})

describe('withPrefix', () => {
  it('refuses what is no store or no prefix', () => {
    const kv = createMemoryKV()
    expect(() => withPrefix(null as never, 'a')).toThrow(TypeError)
    expect(() => withPrefix(kv, 1 as never)).toThrow(TypeError)
    expect(() => withPrefix(kv, '\ud800')).toThrow(TypeError)
    expect(() => withPrefix(kv, 'x'.repeat(1024))).toThrow(RangeError)
  })

  it('nests, shares leases, and closes without closing the store', async () => {
    const kv = createMemoryKV()
    const inner = withPrefix(withPrefix(kv, 'a/'), 'b/')
    const lease = await inner.grantLease(1000)
    await inner.save('k', '1', { lease })
    expect(await kv.load('a/b/k')).toBe('1')
    expect(inner.features.maxKeyBytes).toBe(1020)
    const watch = inner.watch('k')
    const next = watch.next()
    await inner.close()
    expect((await next).done).toBe(true)
    expect(await kv.has('a/b/k')).toBe(true)
    await lease.revoke()
    expect(await kv.has('a/b/k')).toBe(false)
    await kv.close()
  })
})

describe('KVError', () => {
  it('can be written as JSON, revisions included', () => {
    const error = new KVError('KV_COMPACTED', 'gone', { details: { from: 3n } })
    expect(JSON.parse(JSON.stringify(error))).toEqual({ name: 'KVError', code: 'KV_COMPACTED', message: 'gone', retryable: false, details: { from: '3' } })
  })
})
