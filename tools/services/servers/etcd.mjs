import { existsSync } from 'node:fs'
import path from 'node:path'
import { cached } from '../cache.mjs'
import { aptUnpack } from '../get/apt.mjs'
import { goBuild } from '../get/go.mjs'
import { firstOf, httpOk, tlsAnswers } from '../ready.mjs'
import { which } from '../run.mjs'

const fromPath = async () => {
  const program = which('etcd')
  if (program === undefined) throw new Error('etcd is not in PATH')
  return { program, isOld: false }
}
const fromDebian = async () => {
  const dir = await cached('etcd-debian', (into) => aptUnpack(['etcd-server'], into))
  return { program: path.join(dir, 'usr/bin/etcd'), isOld: existsSync(path.join(dir, 'usr/share/doc/etcd-server')) }
}
const fromGo = (version) => async () => {
  const module = 'go.etcd.io/etcd/server/v3'
  const dir = await cached(`etcd-${version}`, (into) => goBuild({ module, version: `v${version}`, name: 'etcd' }, into))
  return { program: path.join(dir, 'etcd'), isOld: false }
}

/** One etcd member. Options: `tls` (files `{ cert, key, ca }`; clients need a certificate too). Versions: `debian` (3.4), or a release such as `3.6.16`, built by Go. */
export default {
  name: 'etcd',
  portNames: ['client', 'peer'],
  get: ({ version } = {}) => {
    if (version !== undefined && version !== 'debian') return firstOf(fromGo(version))
    return version === 'debian' ? firstOf(fromDebian) : firstOf(fromPath, fromDebian, fromGo('3.6.16'))
  },
  plan({ got, ports, dir, options }) {
    const { tls } = options
    const client = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${ports.client}`
    const peer = `http://127.0.0.1:${ports.peer}`
    const args = ['--name', 'n1', '--data-dir', path.join(dir, 'data'), '--listen-client-urls', client, '--advertise-client-urls', client]
    args.push('--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `n1=${peer}`)
    args.push('--heartbeat-interval', '20', '--election-timeout', '200', '--log-level', 'error', ...(got.isOld ? ['--logger', 'zap'] : []))
    if (tls !== undefined) args.push('--cert-file', tls.cert, '--key-file', tls.key, '--trusted-ca-file', tls.ca, '--client-cert-auth')
    args.push(...(options.args ?? []))
    return {
      command: got.program, args, url: client, env: { TIMETICK_ETCD_URL: client },
      ready: () => tls !== undefined ? tlsAnswers(ports.client, tls) : httpOk(`${client}/health`, (text) => JSON.parse(text).health === 'true'),
    }
  },
}
