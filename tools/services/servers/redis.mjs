import path from 'node:path'
import { cached } from '../cache.mjs'
import { aptUnpack, libraryPath } from '../get/apt.mjs'
import { firstOf, tcpReply } from '../ready.mjs'
import { which } from '../run.mjs'

const fromPath = async () => {
  const program = which('redis-server')
  if (program === undefined) throw new Error('redis-server is not in PATH')
  return { program, env: {} }
}
const PACKAGES = ['redis-server', 'redis-tools', 'libjemalloc2', 'liblzf1', 'libatomic1']
const fromDebian = async () => {
  const dir = await cached('redis-debian', (into) => aptUnpack(PACKAGES, into))
  return { program: path.join(dir, 'usr/bin/redis-server'), env: { LD_LIBRARY_PATH: libraryPath(dir) } }
}

/** One Redis server. Options: `appendonly` (`'no'`, `'everysec'`, `'always'`). */
export default {
  name: 'redis',
  portNames: ['client'],
  get: ({ version } = {}) => (version === 'debian' ? firstOf(fromDebian) : firstOf(fromPath, fromDebian)),
  plan({ got, ports, dir, options }) {
    const url = `redis://127.0.0.1:${ports.client}`
    const { appendonly = 'no' } = options
    const args = ['--port', String(ports.client), '--bind', '127.0.0.1', '--save', '', '--dir', dir, '--appendonly', appendonly === 'no' ? 'no' : 'yes']
    if (appendonly !== 'no') args.push('--appendfsync', appendonly)
    args.push(...(options.args ?? []))
    return {
      command: got.program, args, processEnv: got.env, url, env: { TIMETICK_REDIS_URL: url },
      ready: () => tcpReply(ports.client, Buffer.from('PING\r\n'), (reply) => reply.toString().startsWith('+PONG')),
    }
  },
}
