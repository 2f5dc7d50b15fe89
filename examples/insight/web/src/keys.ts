/** `/` to the search, `j` and `k` through the rows, `Enter` opens, `?` explains. */
export const KEYS: readonly (readonly [string, string])[] = [
  ['/', 'search collections'],
  ['j k', 'next and previous row'],
  ['Enter', 'open the row'],
  ['Esc', 'close, or leave the search'],
  ['?', 'these keys'],
]

export function handleKey(event: KeyboardEvent, openHelp: () => void): void {
  const { target, key } = event
  const isTyping = target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]') !== null) return
  if (isTyping) {
    if (key === 'Escape' && target instanceof HTMLElement) target.blur()
    return
  }
  if (key === '/') {
    event.preventDefault()
    document.querySelector<HTMLInputElement>('#search')?.focus()
  } else if (key === '?') openHelp()
  else if (key === 'j' || key === 'k') move(key === 'j' ? 1 : -1)
}

function move(step: number): void {
  const buttons = [...document.querySelectorAll<HTMLButtonElement>('#collections tbody button.name')]
  const now = buttons.findIndex((button) => button === document.activeElement)
  buttons[Math.max(0, Math.min(buttons.length - 1, now + step))]?.focus()
}
