/**
 * The servers that tests ask for. A workspace says in its package.json `"timetick": { "services": ["etcd", "redis"] }`; its tests find
 * them through `TIMETICK_ETCD_URL`, `TIMETICK_REDIS_URL`, `TIMETICK_KAFKA_URL`, `TIMETICK_PULSAR_URL` (and `…_WEB_URL`), `TIMETICK_S3_URL`
 * (and `…_ACCESS_KEY`, `…_SECRET_KEY`), `TIMETICK_NATS_URL`, and skip where the variable is missing.
 */
import { SERVICE_NAMES, startService } from '../services/index.mjs'

/** Services that these workspaces declare, in a fixed order; throws on a name that does not exist. */
export function declaredServices(workspaces) {
  const wanted = new Set()
  for (const { name, manifest } of workspaces) {
    for (const service of manifest.timetick?.services ?? []) {
      if (!SERVICE_NAMES.includes(service)) throw new Error(`${name} asks for the service ${JSON.stringify(service)}; there are ${SERVICE_NAMES.join(', ')}`)
      wanted.add(service)
    }
  }
  return SERVICE_NAMES.filter((name) => wanted.has(name))
}

/** Starts them together: `{ env, missing: [{ name, reason }], stop() }`. One that is in the environment already is used as it is. */
export async function startDeclared(workspaces) {
  const env = {}
  const missing = []
  const running = []
  await Promise.all(declaredServices(workspaces).map(async (name) => {
    if (process.env[`TIMETICK_${name.toUpperCase()}_URL`] !== undefined) return
    try {
      const service = await startService(name)
      running.push(service)
      Object.assign(env, service.env)
    } catch (error) {
      missing.push({ name, reason: error.message })
    }
  }))
  return { env, missing, stop: () => Promise.all(running.map((service) => service.stop())) }
}
