/** Preloaded: any connection or name look-up beyond loopback ends the process with 99. */
import dns from 'node:dns'
import net from 'node:net'

const isLocal = (host) => host === undefined || host === 'localhost' || host === '::1' || host.startsWith('127.')
const refuse = (what) => {
  process.stderr.write(`outbound: ${String(what)}\n`)
  process.exit(99)
}

const connect = Reflect.get(net.Socket.prototype, 'connect')
net.Socket.prototype.connect = function (...args) {
  const [first] = args.flat()
  const target = typeof first === 'object' && first !== null ? first : { port: first, host: args[1] }
  if (target.path === undefined && !isLocal(typeof target.host === 'string' ? target.host : undefined)) refuse(String(target.host))
  return connect.apply(this, args)
}
for (const name of ['lookup', 'resolve', 'resolve4', 'resolve6']) {
  const original = dns[name]
  dns[name] = (host, ...rest) => (isLocal(host) ? original(host, ...rest) : refuse(host))
}
