import { describe, expect, it } from 'vitest'
import { RpcError } from '../../src/internal/errors.ts'
import { toStatus } from '../../src/server/status.ts'

describe('what failures of parts mean to a client', () => {
  it('does not ask for what may have been done to be sent again', () => {
    const { code, reason } = toStatus(new RpcError('RPC_FENCED', 'the lease ended', { outcome: 'unknown', retryable: true }))
    expect(code).toBe(1)
    expect(reason).toContain('it is not known whether this was done')
    expect(reason).not.toContain('retry')
  })

  it('asks for what was surely not done to be sent again', () => {
    expect(toStatus(new RpcError('RPC_OVERLOADED', 'the log lags', { outcome: 'not-applied', retryable: true })).reason).toContain('retry later')
  })

  it('says nothing of parts where the failure is none of theirs', () => {
    expect(toStatus(new Error('a defect')).code).toBe(65_535)
  })
})
