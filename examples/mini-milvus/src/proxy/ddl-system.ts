/** What a client asks of the node itself. */
import { identifierFor } from '../clients/identifier.ts'
import { visibilityOption } from '../clients/rules.ts'
import { invalid } from '../server/status.ts'
import type { WireHandlers } from '../server/handlers.ts'
import { ddl, type DdlOptions } from './ddl-context.ts'

export function systemHandlers(options: DdlOptions): WireHandlers {
  const { meta, timestamps, version, clock, health = () => ({ healthy: true, reasons: [] }) } = options
  return {
    /** The identifier names this client in every later call; it is a fresh timestamp, as in Milvus, and says which rule the client chose. */
    Connect: ddl(async (request, call) => {
      meta.database(call.dbName)
      const { sdk_type = '', sdk_version = '', user = '', host = '', reserved = {} } = request.client_info ?? {}
      const rule = visibilityOption(reserved)
      const identifier = identifierFor(await timestamps.allocOne(), rule)
      options.onConnect?.(identifier, { ...reserved, sdk_type, sdk_version, user, host }, call)
      const server_info = { build_tags: version, build_time: '', git_commit: '', go_version: '', deploy_mode: 'STANDALONE', reserved: {} }
      return { identifier, server_info }
    }),
    ClientHeartbeat: ddl(async (_, call) => {
      if (call.identifier !== undefined) options.onHeartbeat?.(call.identifier, call)
      return { server_timestamp: BigInt(clock.now()) }
    }),
    GetVersion: ddl(async () => ({ version })),
    CheckHealth: ddl(async () => {
      const { healthy, reasons } = health()
      return { isHealthy: healthy, reasons }
    }),
    AllocTimestamp: ddl(async () => ({ timestamp: await timestamps.allocOne() })),
    Dummy: ddl(async (request) => {
      if (request.request_type.length > 65_536) throw invalid('request_type is too long')
      return { response: '{"status": "fail"}' }
    }),
  }
}
