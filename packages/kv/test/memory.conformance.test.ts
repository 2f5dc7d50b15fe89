import { describe, it } from 'vitest'
import { createMemoryKV, type MemoryKV } from '../src/memory.ts'
import { testKV } from '../src/testing.ts'

testKV('memory', {
  runner: { describe, it },
  create: () => createMemoryKV(),
  createBounded: () => createMemoryKV({ maxHistory: 10, maxWatchLagBytes: 4096 }),
  disrupt: (kv) => (kv as MemoryKV).cutWatches(),
  features: { backend: 'memory', durability: 'memory', watchAcrossRestarts: false },
})

testKV('memory with a root path and the limits of etcd', {
  runner: { describe, it },
  create: () => createMemoryKV({ rootPath: 'by-dev/meta', maxTransactionOps: 128, maxValueBytes: 1024 * 1024 }),
  features: { maxTransactionOps: 128 },
})
