import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { readdirSync } from 'node:fs'
import { cached } from '../cache.mjs'
import { goBuild } from '../get/go.mjs'
import { mavenArtifact } from '../get/maven.mjs'
import { firstOf, httpOk } from '../ready.mjs'
import { which } from '../run.mjs'

const ACCESS_KEY = 'timetick'
const SECRET_KEY = 'timetick-secret'
const VERSION = '1.8.0'

const fromPath = async () => {
  const program = which('versitygw')
  if (program === undefined) throw new Error('versitygw is not in PATH')
  return { program }
}
const fromGo = async () => {
  const dir = await cached(`versitygw-${VERSION}`, (into) =>
    goBuild({ module: 'github.com/versity/versitygw', packagePath: 'github.com/versity/versitygw/cmd/versitygw', version: `v${VERSION}`, name: 'versitygw' }, into))
  return { program: path.join(dir, 'versitygw') }
}
/** The fallback without Go. It listens on all interfaces, so only where nothing else is to be had. */
const fromMaven = async () => {
  const dir = await cached('s3mock-5.2.0', (into) => mavenArtifact('com.adobe.testing:s3mock:5.2.0:jar:exec', into))
  return { jar: path.join(dir, readdirSync(dir).find((name) => name.endsWith('.jar'))) }
}

/** An S3 server on a local folder: versitygw, or S3Mock. */
export default {
  name: 's3',
  portNames: ['http', 'https'],
  get: ({ version } = {}) => (version === 's3mock' ? firstOf(fromMaven) : firstOf(fromPath, fromGo, fromMaven)),
  plan({ got, ports, dir, options }) {
    const url = `http://127.0.0.1:${ports.http}`
    const env = { TIMETICK_S3_URL: url, TIMETICK_S3_ACCESS_KEY: ACCESS_KEY, TIMETICK_S3_SECRET_KEY: SECRET_KEY }
    const ready = () => httpOk(url, () => true, { anyStatus: true })
    if (got.jar !== undefined) {
      const temporary = path.join(dir, 'tmp')
      mkdirSync(temporary, { recursive: true })
      const args = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', `-Djava.io.tmpdir=${temporary}`, '-jar', got.jar]
      args.push(`--com.adobe.testing.s3mock.http-port=${ports.http}`, `--server.port=${ports.https}`, '--server.address=127.0.0.1')
      return { command: 'java', args, url, env, ready, readyTimeoutMs: 60_000 }
    }
    const data = path.join(dir, 'data')
    mkdirSync(data, { recursive: true })
    const args = ['--access', ACCESS_KEY, '--secret', SECRET_KEY, '--port', `127.0.0.1:${ports.http}`, 'posix', ...(options.args ?? []), data]
    return { command: got.program, args, url, env, ready }
  },
}
