import { Modal } from './modal.tsx'
import { KEYS } from './keys.ts'

export function Help({ close }: { readonly close: () => void }) {
  return (
    <Modal title="Keys" close={close}>
      <dl class="keys">
        {KEYS.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Modal>
  )
}
