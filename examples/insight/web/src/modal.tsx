/** A dialog of the browser: focus stays in it, Escape closes it. */
import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'

export function Modal({ title, close, children }: { readonly title: string; readonly close: () => void; readonly children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const element = dialog.current
    element?.showModal()
    return () => element?.close()
  }, [])
  return (
    <dialog ref={dialog} onClose={close} aria-label={title}>
      <header>
        <h2>{title}</h2>
        <button class="close" aria-label="Close" onClick={close}>
          ×
        </button>
      </header>
      {children}
    </dialog>
  )
}
