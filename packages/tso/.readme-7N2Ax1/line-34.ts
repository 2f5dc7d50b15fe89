import { createMemoryKV } from '@timetick/kv/memory'
import { createHybridLogicalClock, openIdSource, startIdAllocator } from '@timetick/tso'

const ids = startIdAllocator({ source: await openIdSource({ kv: createMemoryKV(), step: 1000 }) })
await ids.allocOne() // => 1n
await ids.close()

const hlc = createHybridLogicalClock()
const sent = hlc.now()
hlc.observe(sent) > sent // => true