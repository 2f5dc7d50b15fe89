/** The stores of a node with every operation counted, under the names that Milvus gives them. */
import type { Mq, MqProducer } from '@timetick/msgstream'
import type { Stores } from '../stores.ts'
import type { Meter } from './meter.ts'

const META: Readonly<Record<string, string>> = { load: 'get', loadEntry: 'get', multiLoad: 'get', has: 'get', loadWithPrefix: 'get', save: 'put', multiSave: 'put', compareAndSave: 'put', multiSaveAndRemove: 'txn', remove: 'remove', multiRemove: 'remove', removeWithPrefix: 'remove' }
const STORAGE: Readonly<Record<string, string>> = { put: 'put', adopt: 'put', get: 'get', readInto: 'get', size: 'stat', exists: 'stat', list: 'list', delete: 'remove', deletePrefix: 'remove' }
const LOG: Readonly<Record<string, string>> = { openProducer: 'create_producer', openReader: 'create_consumer' }

export function meteredStores(stores: Stores, meter: Meter): Stores {
  return {
    kv: meter.operations(stores.kv, 'meta', (method) => META[method]),
    mq: meteredMq(stores.mq, meter),
    storage: meter.operations(stores.storage, 'storage', (method) => STORAGE[method]),
    close: () => stores.close(),
  }
}

function meteredMq(mq: Mq, meter: Meter): Mq {
  const openProducer: Mq['openProducer'] = async (channel, options) => meteredProducer(await mq.openProducer(channel, options), meter)
  const counted = meter.operations(mq, 'msgstream', (method) => LOG[method])
  return new Proxy(counted, {
    get: (target, property) => (property === 'openProducer' ? openProducer : (Reflect.get(target, property, target) as unknown)),
  })
}

function meteredProducer(producer: MqProducer, meter: Meter): MqProducer {
  return meter.operations(producer, 'msgstream', (method) => (method === 'send' ? 'produce' : undefined))
}
