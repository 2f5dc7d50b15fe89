/** What the node knows of one client. */

/** Why a client counts as gone. */
export type GoneReason = 'sockets' | 'heartbeat' | 'lease' | 'crowded' | 'ended' | 'closing'

/** What a client said of itself in Connect; empty texts where it said nothing. */
export interface ClientInfo {
  readonly sdkType: string
  readonly sdkVersion: string
  readonly user: string
  readonly host: string
}

export const noInfo: ClientInfo = { sdkType: '', sdkVersion: '', user: '', host: '' }

const MAX_TEXT = 256

/** From Connect's client_info, of which nothing is kept that could be large. */
export function clientInfoOf({ sdk_type: sdkType = '', sdk_version: sdkVersion = '', user = '', host = '' }: Readonly<Record<string, string>>): ClientInfo {
  const short = (text: string): string => text.slice(0, MAX_TEXT)
  return { sdkType: short(sdkType), sdkVersion: short(sdkVersion), user: short(user), host: short(host) }
}

/** One line of the registry's list. Times are of the registry's monotonic clock, ms. */
export interface ClientState {
  readonly key: string
  readonly kind: 'identifier' | 'socket' | 'session'
  readonly info: ClientInfo
  /** Live sockets that have carried it. */
  readonly sockets: number
  /** Calls that are being handled. */
  readonly running: number
  readonly since: number
  readonly lastSeen: number
  readonly heartbeats: boolean
}

/**
 * A client while the registry has it. The same identifier after it was dropped is another one with another key: what an old call still does
 * can not get into the new one's stage.
 */
export interface Client {
  /** Opaque; names the client's staged work. */
  readonly key: string
  readonly info: ClientInfo
}
