/** Who may call processes of a cluster: everybody on this machine, and nobody else without a secret or a certificate. */
import { describe, expect, it } from 'vitest'
import { checkOpenCalls, hostOf } from '../../src/cluster/open-calls.ts'
import { createParameters } from '../../src/node/parameters.ts'
import { runProgram } from '../e2e/running-program.ts'

const check = (settings: Record<string, string>): boolean => {
  const parameters = createParameters({})
  for (const [key, value] of Object.entries(settings)) parameters.save(key, value)
  return checkOpenCalls(parameters)
}

describe('calls between processes without a secret', () => {
  it('stay on the machine', () => {
    expect(check({})).toBe(false)
    expect(check({ 'cluster.internalHost': '::1', 'cluster.advertiseAddress': '[::1]:5' })).toBe(false)
    for (const settings of [{ 'cluster.internalHost': '0.0.0.0' }, { 'cluster.advertiseAddress': 'node-7.example:19540' }, { 'cluster.internalHost': '127.0.0.1', 'cluster.advertiseAddress': '10.0.0.7:1' }]) {
      expect(() => check(settings)).toThrow(/can be reached from other machines.*cluster\.secret/)
    }
  })

  it('go anywhere with a secret, with certificates, or when the parameter says so', () => {
    const anywhere = { 'cluster.internalHost': '0.0.0.0', 'cluster.advertiseAddress': '10.0.0.7:1' }
    expect(check({ ...anywhere, 'cluster.secret': 'x' })).toBe(true)
    expect(check({ ...anywhere, 'cluster.tls.certPath': '/cert.pem' })).toBe(true)
    expect(check({ ...anywhere, 'cluster.allowOpen': 'true' })).toBe(true)
  })

  it.each([['10.0.0.7:1', '10.0.0.7'], ['[::1]:1', '::1'], ['localhost:80', 'localhost'], ['', '']])('%s is at %s', (address, host) => expect(hostOf(address)).toBe(host))

  it('end the program with what to do about it', async () => {
    const { code, stderr } = await runProgram(['--role', 'all', '--in-memory', '--port', '0', '--set', 'cluster.internalHost=0.0.0.0'])
    expect([code, stderr]).toEqual([2, expect.stringContaining('set cluster.secret')])
  })
})
