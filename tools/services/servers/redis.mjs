import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { cached } from '../cache.mjs'
import { aptUnpack, libraryPath } from '../get/apt.mjs'
import { firstOf, tcpReply, tlsAnswers } from '../ready.mjs'
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

/** A Sentinel has a file that it rewrites. */
function sentinelArgs(dir, { name, port, password, quorum = 1, downAfterMs = 500 }) {
  const file = path.join(dir, 'sentinel.conf')
  const lines = [`sentinel monitor ${name} 127.0.0.1 ${port} ${quorum}`, `sentinel down-after-milliseconds ${name} ${downAfterMs}`, `sentinel failover-timeout ${name} 5000`]
  if (password !== undefined) lines.push(`sentinel auth-pass ${name} ${password}`)
  writeFileSync(file, `${lines.join('\n')}\n`, { flag: 'a' })
  return [file, '--sentinel']
}

function serverArgs(dir, ports, { appendonly = 'no', password, tls, isClusterNode = false }) {
  const client = String(ports.client)
  const args = ['--save', '', '--dir', dir, '--appendonly', appendonly === 'no' ? 'no' : 'yes']
  if (appendonly !== 'no') args.push('--appendfsync', appendonly)
  if (tls === undefined) args.push('--port', client)
  else args.push('--port', '0', '--tls-port', client, '--tls-cert-file', tls.cert, '--tls-key-file', tls.key, '--tls-ca-cert-file', tls.ca)
  if (password !== undefined) args.push('--requirepass', password, '--masterauth', password)
  if (isClusterNode) args.push('--cluster-enabled', 'yes', '--cluster-port', String(ports.bus), '--cluster-node-timeout', '1000')
  return args
}

const isAnswer = (reply) => /^(\+PONG|-NOAUTH|-DENIED)/.test(reply.toString())

/**
 * One Redis server. Options: `appendonly` (`'no'`, `'everysec'`, `'always'`), `password`, `tls` (files `{ cert, key, ca }`; clients need
 * a certificate too), `isClusterNode` (a node that is not in a cluster yet), or instead of all these `sentinel` (`{ name, port, password,
 * quorum, downAfterMs }` of a master to look after).
 */
export default {
  name: 'redis',
  portNames: ['client', 'bus'],
  get: ({ version } = {}) => (version === 'debian' ? firstOf(fromDebian) : firstOf(fromPath, fromDebian)),
  plan({ got, ports, dir, options }) {
    const { tls, password, sentinel } = options
    const url = `${tls === undefined ? 'redis' : 'rediss'}://${password === undefined ? '' : `:${password}@`}127.0.0.1:${ports.client}`
    const args = sentinel === undefined ? serverArgs(dir, ports, options) : [...sentinelArgs(dir, sentinel), '--port', String(ports.client), '--dir', dir]
    args.push('--bind', '127.0.0.1', ...(options.args ?? []))
    const ping = Buffer.from('PING\r\n')
    return {
      command: got.program, args, processEnv: got.env, url, env: { TIMETICK_REDIS_URL: url },
      ready: () => (tls === undefined ? tcpReply(ports.client, ping, isAnswer) : tlsAnswers(ports.client, tls)),
    }
  },
}
