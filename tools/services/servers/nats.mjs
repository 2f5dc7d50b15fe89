import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { cached } from '../cache.mjs'
import { aptUnpack } from '../get/apt.mjs'
import { goBuild } from '../get/go.mjs'
import { firstOf, tcpReply } from '../ready.mjs'
import { which } from '../run.mjs'

const fromPath = async () => {
  const program = which('nats-server')
  if (program === undefined) throw new Error('nats-server is not in PATH')
  return { program }
}
const fromDebian = async () => ({ program: path.join(await cached('nats-debian', (into) => aptUnpack(['nats-server'], into)), 'usr/sbin/nats-server') })
const fromGo = (version) => async () => {
  const module = 'github.com/nats-io/nats-server/v2'
  return { program: path.join(await cached(`nats-${version}`, (into) => goBuild({ module, version: `v${version}`, name: 'nats-server' }, into)), 'nats-server') }
}

/** One NATS server with JetStream on files, for the bench. Options: `syncInterval` (`'always'` or a duration). */
export default {
  name: 'nats',
  portNames: ['client'],
  get: ({ version } = {}) => {
    if (version !== undefined && version !== 'debian') return firstOf(fromGo(version))
    return version === 'debian' ? firstOf(fromDebian) : firstOf(fromPath, fromDebian, fromGo('2.15.2'))
  },
  plan({ got, ports, dir, options }) {
    const url = `nats://127.0.0.1:${ports.client}`
    const config = path.join(dir, 'nats.conf')
    const sync = options.syncInterval === undefined ? '' : `, sync_interval: ${options.syncInterval}`
    writeFileSync(config, `listen: "127.0.0.1:${ports.client}"\njetstream { store_dir: ${JSON.stringify(path.join(dir, 'data'))}${sync} }\n`)
    return {
      command: got.program, args: ['-c', config, ...(options.args ?? [])], url, env: { TIMETICK_NATS_URL: url },
      ready: () => tcpReply(ports.client, undefined, (reply) => reply.toString().startsWith('INFO')),
    }
  },
}
