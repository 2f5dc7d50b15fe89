/** What a process says of itself in the store. Unknown fields of other versions are let pass. */
export interface SessionRecord {
  readonly name: string
  /** Decimal digits, or whatever the process chose. */
  readonly id: string
  readonly address: string | undefined
  readonly exclusive: boolean
  /** It takes no new work. */
  readonly stopping: boolean
  readonly labels: Readonly<Record<string, string>>
}

/** `session/<name>-<id>`, or `session/<name>` for the only one of its name. */
export function sessionKey(rootPath: string, { name, id, exclusive }: Pick<SessionRecord, 'name' | 'id' | 'exclusive'>): string {
  return exclusive ? `${rootPath}/${name}` : `${rootPath}/${name}-${id}`
}

export function encodeSession(record: SessionRecord, owner: string): string {
  return JSON.stringify({ v: 1, ...record, owner })
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
  } catch {
    return {}
  }
}

export function ownerOf(text: string): unknown {
  return parse(text)['owner']
}

/** `undefined` for a text that is no session. */
export function decodeSession(text: string): SessionRecord | undefined {
  const { name, id, address, exclusive, stopping, labels, owner } = parse(text)
  if (typeof name !== 'string' || typeof id !== 'string' || typeof owner !== 'string') return undefined
  return {
    name,
    id,
    address: typeof address === 'string' ? address : undefined,
    exclusive: exclusive === true,
    stopping: stopping === true,
    labels: readLabels(labels),
  }
}

function readLabels(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === 'string'))
}
