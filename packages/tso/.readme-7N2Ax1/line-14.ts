import { createMemoryKV } from '@timetick/kv/memory'
import { openTimestampOracle, parseTimestamp, startTimestampAllocator } from '@timetick/tso'

const kv = createMemoryKV()
const oracle = await openTimestampOracle({ kv, rootPath: 'tso' })
const range = await oracle.getTimestamp(10)
range.count // => 10
range.last - range.first // => 9n
parseTimestamp(range.first).logical // => 1

const allocator = startTimestampAllocator({ source: oracle })
const [a, b] = await Promise.all([allocator.allocOne(), allocator.allocOne()])
a < b // => true
await allocator.close()
await oracle.close()