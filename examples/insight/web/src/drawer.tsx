/** One collection, whole. */
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { Actions } from './actions.tsx'
import { apiBase, call, type Row } from './api.ts'
import { Copy } from './copy.tsx'
import { at, bytes, count, moment, text } from './format.ts'
import { Modal } from './modal.tsx'
import { Part } from './part.tsx'
import { clusterId, feed, selected } from './store.ts'
import { VectorSearch } from './vector-search.tsx'

interface Detail {
  readonly collection: Row
  readonly partitions: readonly Row[]
  readonly indexes: readonly Row[]
  readonly aliases: readonly Row[]
  readonly segments: readonly Row[]
  readonly channels: readonly Row[]
}

export function Drawer() {
  const detail = useSignal<Detail | undefined>(undefined)
  const failure = useSignal<string | undefined>(undefined)
  const id = selected.value
  const changes = feed.value.find(({ key }) => key.split('/')[1] === id)?.seq
  useEffect(() => {
    if (id === '' || clusterId.value === '') return
    let isOld = false
    call<Detail>(`/clusters/${encodeURIComponent(clusterId.value)}/collections/${encodeURIComponent(id)}`).then(
      (found) => {
        if (isOld) return
        detail.value = found
        failure.value = undefined
      },
      (error: Error) => {
        if (!isOld) failure.value = error.message
      },
    )
    return () => {
      isOld = true
    }
  }, [id, clusterId.value, changes, detail, failure])
  if (id === '') return null
  const close = (): void => {
    selected.value = ''
    detail.value = undefined
    failure.value = undefined
  }
  const found = detail.value
  return (
    <Modal title={found === undefined ? 'Collection' : text(found.collection['name'])} close={close}>
      {failure.value !== undefined && <p class="failure">{failure.value}</p>}
      {found === undefined ? failure.value === undefined && <p class="empty">Loading…</p> : <Facts detail={found} close={close} />}
    </Modal>
  )
}

function Facts({ detail, close }: { readonly detail: Detail; readonly close: () => void }) {
  const { collection, partitions, indexes, aliases, segments, channels } = detail
  const fields = (collection['fields'] ?? []) as readonly Row[]
  return (
    <>
      <dl class="facts">
        <Fact name="Id">
          <Copy value={text(collection['id'])} />
        </Fact>
        <Fact name="Database">{text(collection['db'])}</Fact>
        <Fact name="Rows ≈">{count(at(collection, 'stats.rows'))}</Fact>
        {at(collection, 'stats.growingRows') !== undefined && (
          <Fact name="Sealed + growing">
            {count(at(collection, 'stats.sealedRows'))} + {count(at(collection, 'stats.growingRows'))}
          </Fact>
        )}
        <Fact name="Load">
          {text(at(collection, 'load.state'))} {text(at(collection, 'load.reason')) === '–' ? '' : text(at(collection, 'load.reason'))}
        </Fact>
        <Fact name="Consistency">{text(collection['consistency'])}</Fact>
        <Fact name="Created">{moment(collection['createdTs'])}</Fact>
        <Fact name="Description">{text(collection['description'])}</Fact>
      </dl>
      <Actions collection={collection} close={close} />
      <VectorSearch collection={collection} fields={fields} />
      <Part title="Fields" rows={fields} columns={['name', 'type', 'dim', 'pk', 'autoId', 'nullable', 'partitionKey']} />
      <Part title="Indexes" rows={indexes} columns={['name', 'field', 'indexType', 'metric', 'progress.state', 'progress.indexedRows', 'progress.totalRows', 'progress.reason']} />
      <Part title="Partitions" rows={partitions} columns={['name', 'id', 'stats.rows']} />
      <Part title="Aliases" rows={aliases} columns={['alias']} />
      <Part title="Segments" rows={segments} columns={['id', 'state', 'level', { path: 'rows', title: 'rows', show: count, isNumber: true }, { path: 'bytes', title: 'size', show: bytes, isNumber: true }, 'channel']} />
      <Part title="Channels" rows={channels} columns={['name', 'pchannel', { path: 'checkpoint.ts', title: 'in segments up to', show: moment }]} />
      <details>
        <summary>JSON</summary>
        <Copy value={JSON.stringify(detail, null, 2)} label="Copy as JSON" /> · <Copy value={`curl -s '${apiBase}/clusters/${encodeURIComponent(clusterId.value)}/collections/${encodeURIComponent(String(collection['id']))}'`} label="Copy as curl" />
        <pre tabIndex={0}>{JSON.stringify(detail, null, 2)}</pre>
      </details>
    </>
  )
}

function Fact({ name, children }: { readonly name: string; readonly children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}
