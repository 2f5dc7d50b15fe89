/** What may be asked of the cluster, where the server allows it. A drop needs the name typed, and waits ten seconds for second thoughts. */
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { call, type Row } from './api.ts'
import { after } from './edge.ts'
import { cluster, clusterId } from './store.ts'

const UNDO_MS = 10_000

export function Actions({ collection, close }: { readonly collection: Row; readonly close: () => void }) {
  const isOn = useSignal(false)
  const typed = useSignal('')
  const said = useSignal('')
  const undo = useSignal<(() => void) | undefined>(undefined)
  useEffect(() => {
    void call<{ actions?: boolean }>('/config').then(({ actions }) => (isOn.value = actions === true))
  }, [isOn])
  if (!isOn.value || cluster.value?.canAct !== true) return null
  const name = String(collection['name'])
  const ask = (action: string, more: object = {}): void => {
    said.value = `${action}…`
    call(`/clusters/${encodeURIComponent(clusterId.value)}/actions/${action}`, { db: collection['db'], collection: name, ...more }).then(
      () => {
        said.value = `${action}: done`
        if (action === 'drop') close()
      },
      (error: Error) => (said.value = error.message),
    )
  }
  const drop = (): void => {
    const cancel = after(UNDO_MS, () => {
      undo.value = undefined
      ask('drop', { confirm: name })
    })
    undo.value = () => {
      cancel()
      undo.value = undefined
    }
  }
  return (
    <div class="actions">
      {['flush', 'load', 'release'].map((action) => (
        <button key={action} onClick={() => ask(action)}>
          {action}
        </button>
      ))}
      <input aria-label="Name of the collection, to drop it" placeholder={`type ${name} to drop it`} value={typed.value} onInput={(event) => (typed.value = event.currentTarget.value)} />
      {undo.value === undefined ? (
        <button class="danger" disabled={typed.value !== name} onClick={drop}>
          drop
        </button>
      ) : (
        <button class="danger" onClick={() => undo.value?.()}>
          undo the drop (10 s)
        </button>
      )}
      <span role="status">{said.value}</span>
    </div>
  )
}
