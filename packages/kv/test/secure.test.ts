/** Encrypted connections, passwords and rights, on real servers. */
import { Etcd3, Range } from 'etcd3'
import { Redis } from 'ioredis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openEtcdKV } from '../src/etcd.ts'
import { isKVError, type KVBase } from '../src/index.ts'
import { openRedisKV } from '../src/redis.ts'
import { type CertificateFiles, makeCertificate, readCertificate } from './certificates.edge.ts'
import { freshFolders } from './folders.edge.ts'
import { hasService, ownService } from './services.edge.ts'

const fresh = freshFolders()
const refused = (error: unknown): boolean => isKVError(error) && error.code !== 'KV_STORAGE_FAILED' && error.outcome !== 'unknown'

/** Reads, writes, watches and leases, all over the same kind of connection. */
async function useAll(kv: KVBase): Promise<void> {
  const watch = kv.watchWithPrefix('mine/')
  await watch.ready
  const lease = await kv.grantLease(60_000)
  await kv.save('mine/a', '1', { lease })
  expect((await watch.next()).value?.events).toHaveLength(1)
  expect((await kv.loadWithPrefix('mine/')).keys).toEqual(['mine/a'])
  await lease.keepAlive()
  await lease.revoke()
  expect((await watch.next()).value?.events).toMatchObject([{ type: 'delete', key: 'mine/a' }])
}

describe.skipIf(!hasService('etcd'))('etcd', () => {
  const credentialsOf = (files: CertificateFiles) => {
    const { ca, cert, key } = readCertificate(files)
    return { rootCertificate: ca, certChain: cert, privateKey: key }
  }

  it('speaks TLS to clients whose certificate it knows, and to nobody else', async () => {
    const [ours, theirs] = [makeCertificate(await fresh()), makeCertificate(await fresh())]
    const { url: hosts } = await ownService('etcd', { tls: ours })
    const kv = await openEtcdKV({ hosts, credentials: credentialsOf(ours) })
    await useAll(kv)
    await kv.close()
    for (const credentials of [credentialsOf(theirs), { rootCertificate: credentialsOf(ours).rootCertificate }, { ...credentialsOf(theirs), rootCertificate: credentialsOf(ours).rootCertificate }]) {
      await expect(openEtcdKV({ hosts, credentials, timeoutMs: 1000 })).rejects.toSatisfy(refused)
    }
    await expect(openEtcdKV({ hosts: hosts.replace('https', 'http'), timeoutMs: 1000 })).rejects.toSatisfy(refused)
  })

  it('keeps users within their rights, over TLS, also after a watch has begun', async () => {
    const files = makeCertificate(await fresh())
    const { url: hosts } = await ownService('etcd', { tls: files })
    const admin = new Etcd3({ hosts, credentials: credentialsOf(files) })
    onTestFinished(() => admin.close())
    await admin.user('root').create('secret')
    await admin.user('root').addRole('root')
    await admin.role('app').create()
    await admin.role('app').grant({ permission: 'Readwrite', range: new Range(Buffer.from('app/'), Buffer.from('app0')) })
    await admin.user('app').create('pass')
    await admin.user('app').addRole('app')
    await admin.auth.authEnable()
    const open = (rootPath: string): Promise<KVBase> => openEtcdKV({ hosts, rootPath, credentials: credentialsOf(files), auth: { username: 'app', password: 'pass' }, timeoutMs: 3000 })
    const kv = await open('app')
    await useAll(kv)
    await kv.close()
    // Opening asks the server for a key, which is beside its rights.
    await expect(open('other')).rejects.toSatisfy((error) => isKVError(error) && !error.retryable)
  })
})

describe.skipIf(!hasService('redis'))('Redis', () => {
  it('speaks TLS with a password to clients whose certificate it knows', async () => {
    const [ours, theirs] = [makeCertificate(await fresh()), makeCertificate(await fresh())]
    const { url } = await ownService('redis', { tls: ours, password: 'secret' })
    const template = (files: CertificateFiles): Redis => new Redis(url, { tls: { ...readCertificate(files), servername: 'localhost' }, lazyConnect: true })
    const kv = await openRedisKV({ client: template(ours) })
    await useAll(kv)
    await kv.close()
    await expect(openRedisKV({ client: template(theirs), timeoutMs: 500 })).rejects.toSatisfy(refused)
    await expect(openRedisKV({ url, timeoutMs: 500 }), 'without the authority').rejects.toSatisfy(refused)
    await expect(openRedisKV({ url: url.replace('rediss', 'redis'), timeoutMs: 500 }), 'without TLS').rejects.toSatisfy(refused)
  })

  it('takes passwords and users, says that they are wrong, and works with few rights', async () => {
    const { url } = await ownService('redis', { password: 'secret' })
    const admin = new Redis(url)
    onTestFinished(() => admin.disconnect())
    await admin.call('ACL', 'SETUSER', 'app', 'on', '>pass', '~{mine}:*', '+@all', '-@admin', '-@dangerous')
    const as = (user: string, store = 'mine'): Promise<KVBase> => openRedisKV({ url: url.replace(':secret', user), store, timeoutMs: 1000 })
    for (const user of [':secret', 'app:pass']) {
      const kv = await as(user)
      await useAll(kv)
      await kv.close()
    }
    for (const wrong of [':wrong', 'nobody:pass', '']) await expect(as(wrong)).rejects.toSatisfy(refused)
    await expect(as('app:pass', 'theirs')).rejects.toSatisfy((error) => isKVError(error) && !error.retryable && error.outcome !== 'unknown')
  })
})
