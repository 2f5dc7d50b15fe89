/** A button that copies a text, and says that it did. */
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { after } from './edge.ts'

const SAID_MS = 1500

export function Copy({ value, label = value }: { readonly value: string; readonly label?: string }) {
  const said = useSignal<'' | 'copied' | 'failed'>('')
  useEffect(() => (said.value === '' ? undefined : after(SAID_MS, () => (said.value = ''))), [said.value])
  const copy = async (button: HTMLElement): Promise<void> => {
    said.value = (await copied(value, button)) ? 'copied' : 'failed'
  }
  return (
    <button class="copy" title={`Copy ${value.length > 100 ? label : value}`} data-said={said.value} onClick={({ currentTarget }) => void copy(currentTarget)}>
      {label}
    </button>
  )
}

/** Browsers give the clipboard to pages of this machine and of https alone; others select the text and copy that. */
async function copied(value: string, button: HTMLElement): Promise<boolean> {
  if (isSecureContext) return navigator.clipboard.writeText(value).then(() => true, () => false)
  const area = document.createElement('textarea')
  area.value = value
  area.readOnly = true
  area.className = 'hidden'
  // Beside the button: in a dialog nothing outside can have the focus.
  button.after(area)
  area.select()
  const isCopied = document.execCommand('copy')
  area.remove()
  button.focus()
  return isCopied
}
