/** Options that sessions and elections share. */
import { checkDuration, checkFunction, checkName, checkObject, checkRatio } from '../arguments.ts'
import type { Clock } from '../clock.ts'
import { systemClock } from '../edge.ts'
import { newOwner } from './owner.edge.ts'
import type { SessionStore } from './store-call.ts'

export interface LeaseOptions {
  readonly kv: SessionStore
  /** After so long without a renewal others may take the place. Etcd grants whole seconds. @default 15_000 */
  readonly ttlMs?: number | undefined
  /** The part of `ttlMs` by which the holder stops before the store would: 0 to 1. @default 0.1 */
  readonly margin?: number | undefined
  /** For one call of the store. @default a fifth of `ttlMs` */
  readonly callTimeoutMs?: number | undefined
  /** @default the system's */
  readonly clock?: Clock | undefined
  /** Names one holder; no other may have it. @default a random UUID */
  readonly owner?: string | undefined
}

export interface LeaseSettings {
  readonly kv: SessionStore
  readonly ttlMs: number
  readonly margin: number
  readonly callTimeoutMs: number
  readonly clock: Clock
  readonly owner: string
}

export function readLease(options: LeaseOptions): LeaseSettings {
  checkObject('options', options)
  checkObject('kv', options.kv)
  for (const method of ['loadEntry', 'multiSaveAndRemove', 'grantLease']) checkFunction(`kv.${method}`, Reflect.get(options.kv, method))
  const ttlMs = checkDuration('ttlMs', options.ttlMs ?? 15_000, 20)
  return {
    kv: options.kv,
    ttlMs,
    margin: checkRatio('margin', options.margin ?? 0.1),
    callTimeoutMs: checkDuration('callTimeoutMs', options.callTimeoutMs ?? Math.max(1, Math.ceil(ttlMs / 5)), 1),
    clock: options.clock ?? systemClock,
    owner: options.owner === undefined ? newOwner() : checkName('owner', options.owner),
  }
}
