import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { cached } from '../cache.mjs'
import { mavenArtifact } from '../get/maven.mjs'
import { firstOf, httpOk } from '../ready.mjs'
import { run } from '../run.mjs'

const DEFAULT_VERSION = '4.0.8'
const OPENS = ['java.base/java.io', 'java.base/java.util.zip', 'java.base/java.nio', 'java.base/jdk.internal.misc', 'java.base/jdk.internal.platform',
  'java.management/sun.management', 'jdk.management/com.sun.management.internal']

async function fromMaven(version) {
  const dir = await cached(`pulsar-${version}`, async (into) => {
    await mavenArtifact(`org.apache.pulsar:pulsar-server-distribution:${version}:tar.gz:bin`, into)
    const archive = readdirSync(into).find((name) => name.endsWith('.tar.gz'))
    const top = `apache-pulsar-${version}`
    await run('tar', ['-xzf', archive, '--strip-components=1', `${top}/lib`, `${top}/conf`], { cwd: into })
    rmSync(path.join(into, archive))
    writeFileSync(path.join(into, 'log4j2.xml'), '<Configuration><Appenders><Console name="out"><PatternLayout pattern="%d %p %c %m%n"/></Console></Appenders><Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers></Configuration>')
  })
  return { dir, archive: path.join(dir, 'classes.jsa') }
}

/** The distribution's standalone.conf with these lines replaced, or added. */
function configure(text, values) {
  const left = new Map(Object.entries(values))
  const lines = text.split('\n').map((line) => {
    const key = /^\s*([A-Za-z]\w*)\s*=/.exec(line)?.[1]
    if (key === undefined || !(key in values)) return line
    left.delete(key)
    return `${key}=${values[key]}`
  })
  return [...lines, ...[...left].map(([key, value]) => `${key}=${value}`), ''].join('\n')
}

const settings = (ports) => ({
  brokerServicePort: ports.broker, webServicePort: ports.web, bindAddress: '127.0.0.1', advertisedAddress: '127.0.0.1', listeningInterface: 'lo',
  numIOThreads: 2, numHttpServerThreads: 8, webSocketNumIoThreads: 1, webSocketServiceEnabled: true, managedLedgerCacheSizeMB: 16,
  dbStorage_writeCacheMaxSizeMb: 16, dbStorage_readAheadCacheMaxSizeMb: 8, journalMaxSizeMB: 64, webSocketMaxTextFrameSize: 8388608,
  acknowledgmentAtBatchIndexLevelEnabled: true,
})

/** A standalone broker with WebSocket API. Options: `isBench` (the optimising compiler). */
export default {
  name: 'pulsar',
  portNames: ['broker', 'web'],
  get: ({ version = DEFAULT_VERSION } = {}) => firstOf(() => fromMaven(version)),
  plan({ got, ports, dir, options, training }) {
    const config = path.join(dir, 'standalone.conf')
    const temporary = path.join(dir, 'tmp')
    const isFirst = !existsSync(path.join(dir, 'meta'))
    mkdirSync(temporary, { recursive: true })
    writeFileSync(config, configure(readFileSync(path.join(got.dir, 'conf/standalone.conf'), 'utf8'), settings(ports)))
    const share = training ? [`-XX:ArchiveClassesAtExit=${got.archive}`] : existsSync(got.archive) ? [`-XX:SharedArchiveFile=${got.archive}`] : []
    const args = ['-Xms64m', '-Xmx256m', '-XX:MaxDirectMemorySize=128m', '-XX:+UseSerialGC', ...(options.isBench ? [] : ['-XX:TieredStopAtLevel=1']), ...share]
    args.push('-Djava.net.preferIPv4Stack=true', `-Djava.io.tmpdir=${temporary}`, '-Dio.netty.tryReflectionSetAccessible=true', '-Dlog4j2.is.webapp=false', `-Dlog4j.configurationFile=${got.dir}/log4j2.xml`)
    for (const module of OPENS) args.push('--add-opens', `${module}=ALL-UNNAMED`)
    args.push('-cp', `${got.dir}/lib/*`, 'org.apache.pulsar.PulsarStandaloneStarter', '--config', config, '-nfw', '-nss', ...(isFirst ? ['--wipe-data'] : []))
    args.push('-a', '127.0.0.1', '--bookkeeper-dir', path.join(dir, 'bk'), '--metadata-dir', path.join(dir, 'meta'))
    const web = `http://127.0.0.1:${ports.web}`
    const url = `pulsar://127.0.0.1:${ports.broker}`
    return {
      command: 'java', args, cwd: got.dir, processEnv: { PULSAR_STANDALONE_USE_ZOOKEEPER: '0' }, url, archive: got.archive,
      env: { TIMETICK_PULSAR_URL: url, TIMETICK_PULSAR_WEB_URL: web }, readyTimeoutMs: 90_000, readyEveryMs: 100,
      ready: async () => (await httpOk(`${web}/admin/v2/brokers/health`, (text) => text.trim() === 'ok')) && (await httpOk(`${web}/admin/v2/namespaces/public`, (text) => JSON.parse(text).includes('public/default'))),
    }
  },
}
