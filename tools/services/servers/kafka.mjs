import { randomBytes } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { cached } from '../cache.mjs'
import { mavenLibraries } from '../get/maven.mjs'
import { firstOf, tcpReply } from '../ready.mjs'
import { run } from '../run.mjs'

const DEFAULT_VERSION = '3.9.2'

async function fromMaven(version) {
  const isFour = !version.startsWith('3.')
  const logging = isFour ? 'org.apache.logging.log4j:log4j-slf4j-impl:2.25.3' : 'org.slf4j:slf4j-reload4j:1.7.36'
  const dir = await cached(`kafka-${version}`, async (into) => {
    await mavenLibraries([`org.apache.kafka:kafka_2.13:${version}`, logging], into)
    writeFileSync(path.join(into, 'log4j.properties'), 'log4j.rootLogger=WARN, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\nlog4j.appender.out.layout=org.apache.log4j.PatternLayout\nlog4j.appender.out.layout.ConversionPattern=%d %p %c %m%n\n')
    writeFileSync(path.join(into, 'log4j2.xml'), '<Configuration><Appenders><Console name="out"><PatternLayout pattern="%d %p %c %m%n"/></Console></Appenders><Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers></Configuration>')
  })
  return { dir, isFour, archive: path.join(dir, 'classes.jsa') }
}

const settings = ({ broker, controller, dir }) => `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controller}
listeners=PLAINTEXT://127.0.0.1:${broker},CONTROLLER://127.0.0.1:${controller}
advertised.listeners=PLAINTEXT://127.0.0.1:${broker}
controller.listener.names=CONTROLLER
log.dirs=${dir}/data
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=250
num.network.threads=1
num.io.threads=2
log.index.size.max.bytes=1048576
log.cleaner.dedupe.buffer.size=2097152
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.min.isr=1
`

/** A Metadata request, version 1, for no topic; the reply lists the brokers. */
const METADATA_REQUEST = Buffer.concat([
  Buffer.from([0, 0, 0, 22]), // length of the rest
  Buffer.from([0, 3, 0, 1, 0, 0, 0, 1]), // Metadata, version 1, correlation 1
  Buffer.from([0, 8]), Buffer.from('timetick'), // client
  Buffer.from([0, 0, 0, 0]), // topics
])
const listsABroker = (reply) => reply.length >= 12 && reply.readInt32BE(8) >= 1

/** One KRaft node. Versions: 3.9.2 (default) or 4.x. Options: `isBench` (the optimising compiler), `properties` (more lines). */
export default {
  name: 'kafka',
  portNames: ['broker', 'controller'],
  get: ({ version = DEFAULT_VERSION } = {}) => firstOf(() => fromMaven(version)),
  async plan({ got, ports, dir, options, training }) {
    const config = path.join(dir, 'server.properties')
    writeFileSync(config, settings({ ...ports, dir }) + (options.properties ?? ''))
    const classPath = `${got.dir}/lib/*`
    const logging = got.isFour ? `-Dlog4j2.configurationFile=${got.dir}/log4j2.xml` : `-Dlog4j.configuration=file:${got.dir}/log4j.properties`
    const quick = options.isBench ? [] : ['-XX:TieredStopAtLevel=1']
    if (!existsSync(path.join(dir, 'data', 'meta.properties'))) {
      const id = randomBytes(16).toString('base64url')
      await run('java', ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto', logging, '-cp', classPath, 'kafka.tools.StorageTool', 'format', '-t', id, '-c', config])
    }
    const share = training ? [`-XX:ArchiveClassesAtExit=${got.archive}`] : existsSync(got.archive) ? [`-XX:SharedArchiveFile=${got.archive}`] : []
    const args = [`-Xms${options.isBench ? '512m' : '128m'}`, `-Xmx${options.isBench ? '512m' : '256m'}`, '-XX:+UseSerialGC', ...quick, ...share, logging, '-cp', classPath, 'kafka.Kafka', config]
    const url = `127.0.0.1:${ports.broker}`
    return {
      command: 'java', args, url, env: { TIMETICK_KAFKA_URL: url }, readyTimeoutMs: 60_000, archive: got.archive,
      ready: () => tcpReply(ports.broker, METADATA_REQUEST, listsABroker),
    }
  },
}
