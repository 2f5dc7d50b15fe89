/** What to do when there is nothing: the next step, with this cluster's address in it. */
import { cluster } from './store.ts'

export function Empty({ isFiltered }: { readonly isFiltered: boolean }) {
  const known = cluster.value
  if (isFiltered) return <p class="empty">No collection matches. Try fewer letters, or another database.</p>
  if (known !== undefined && known.state !== 'live') {
    return (
      <p class="empty">
        Nothing is known of {known.address} yet{known.error === null ? '.' : `: ${known.error}.`} It is asked again and again; start it with <code>npm start</code>, or check its address.
      </p>
    )
  }
  const address = known?.address ?? '127.0.0.1:19530'
  return (
    <div class="empty">
      <p>No collection yet. Make the first one:</p>
      <pre tabIndex={0}>{`// Node: npm install @zilliz/milvus2-sdk-node
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
const client = new MilvusClient({ address: '${address}' })
await client.createCollection({ collection_name: 'demo', dimension: 8 })`}</pre>
      <pre tabIndex={0}>{`# Python: pip install pymilvus
from pymilvus import MilvusClient
MilvusClient(uri='http://${address}').create_collection('demo', dimension=8)`}</pre>
      <pre tabIndex={0}>{`curl -s http://${address}/v2/vectordb/collections/create \\
  -H 'content-type: application/json' -d '{"collectionName":"demo","dimension":8}'`}</pre>
    </div>
  )
}
