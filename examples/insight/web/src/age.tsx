/** How long ago something was. The text alone changes as time goes: what is around it is not made again each second. */
import { useComputed, useSignal } from '@preact/signals'
import { age } from './format.ts'
import { time } from './store.ts'

export function Age({ since }: { readonly since: number }) {
  const from = useSignal(since)
  from.value = since
  const label = useComputed(() => age(time.value - from.value))
  return <>{label}</>
}
