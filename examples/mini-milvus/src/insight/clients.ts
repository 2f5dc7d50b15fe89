/** Clients as the page shows them: who is connected, and what each has staged. */
import type { Row } from 'timetick-insight/embed'
import type { ClientState } from '../clients/client.ts'
import type { ClientRegistry } from '../clients/registry.ts'
import type { NodeClock } from '../edge/system.ts'
import type { ClientStage, Staging } from '../staging/staging.ts'

export interface ClientSeen {
  readonly client: ClientState
  /** ms since 1970. */
  readonly connectedAt: number
  readonly lastActive: number
  /** What it wrote and did not flush yet. */
  readonly stage: ClientStage | undefined
}

export type ClientsSeen = () => Iterable<ClientSeen>

export function createClientsSeen(registry: Pick<ClientRegistry, 'list'>, staging: Pick<Staging, 'stats'>, clock: Pick<NodeClock, 'now' | 'monotonic'>): ClientsSeen {
  return function* () {
    const stages = new Map(staging.stats().map((stage) => [stage.client, stage]))
    const atZero = clock.now() - clock.monotonic()
    for (const client of registry.list()) {
      const stage = stages.get(client.key)
      // A socket without a name is a curl: it comes and goes, and is worth a row only while it holds something.
      if (client.kind === 'socket' && stage === undefined) continue
      yield { client, connectedAt: Math.round(atZero + client.since), lastActive: atZero + client.lastSeen, stage }
    }
  }
}

/** So often is a client's last sign of life told: each would be an event. */
const ACTIVE_STEP_MS = 10_000
/** The clock's parts are read one after the other: a millisecond more or less is no change. */
const SINCE_STEP_MS = 100

export function clientRow({ client: { key, kind, info, sockets }, connectedAt, lastActive, stage }: ClientSeen): Row {
  const { sdkType: sdk, sdkVersion: version, user, host } = info
  return {
    id: key,
    identifier: key,
    name: [sdk, version].filter((part) => part !== '').join(' ') || key,
    kind,
    sdk,
    version,
    user,
    host,
    sockets,
    connectedAt: Math.round(connectedAt / SINCE_STEP_MS) * SINCE_STEP_MS,
    lastActive: Math.floor(lastActive / ACTIVE_STEP_MS) * ACTIVE_STEP_MS,
    staged: stage === undefined ? null : stagedRow(stage),
  }
}

function stagedRow({ rows, deletes, bytes, spilledBytes, since, collectionIds }: ClientStage): Row {
  return { rows, deletes, bytes, spilledBytes, since, collections: collectionIds.map(String) }
}
