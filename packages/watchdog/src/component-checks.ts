/** What components hand in, before it is believed. */
import { checkFunction, checkName, checkObject } from './arguments.ts'
import { STATUSES } from './component.ts'
import type { ActiveComponent, ComponentHeartbeat } from './component.ts'

export function checkComponent(component: ActiveComponent): void {
  checkObject('component', component)
  checkName('component.id', component.id)
  for (const method of ['status', 'clean', 'restart']) checkFunction(`component.${method}`, Reflect.get(component, method))
}

/** Whether it has the shape of a beat. Getters of it may throw. */
export function isHeartbeat(beat: unknown): beat is ComponentHeartbeat {
  if (typeof beat !== 'object' || beat === null) return false
  const { id, status, incarnation, seq, serialize } = beat as Readonly<Record<string, unknown>>
  return (
    typeof id === 'string' &&
    STATUSES.includes(status as ComponentHeartbeat['status']) &&
    isCount(incarnation) &&
    isCount(seq) &&
    typeof serialize === 'function'
  )
}

function isCount(value: unknown): boolean {
  return value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0)
}
