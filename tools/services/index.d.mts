export interface Service {
  readonly url: string
  readonly ports: Readonly<Record<string, number>>
  readonly pid: number
  readonly env: Readonly<Record<string, string>>
  readonly dir: string
  stop(): Promise<void>
  kill(): Promise<void>
  restart(): Promise<Service>
}

export const SERVICE_NAMES: readonly string[]
export function getService(name: string, options?: object): Promise<object>
export function startService(name: string, options?: object): Promise<Service>
