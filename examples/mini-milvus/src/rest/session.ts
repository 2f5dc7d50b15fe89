/** What one HTTP call may do: the RPCs through the gate, with the call's headers, deadline and signal. */
import type { IncomingMessage } from 'node:http'
import { type CallInfo, dispatchObject, type DispatchOptions } from '../server/dispatch.ts'
import { asMilvusError, Code, MilvusError } from '../server/status.ts'
import { type MethodInfo, methods } from '../wire/index.ts'
import type { Session } from './route.ts'

const methodsByName: ReadonlyMap<string, MethodInfo> = new Map(methods.map((method) => [method.name, method]))

/** @param int64AsNumber where `Accept-Type-Allow-Int64` does not say */
export function createSession(dispatch: DispatchOptions, info: CallInfo, request: Pick<IncomingMessage, 'headers'>, int64AsNumber: boolean): Session {
  const asked = request.headers['accept-type-allow-int64']
  const callAny: Session['callAny'] = (rpc, message) => dispatchObject(dispatch, methodOf(rpc), message, info)
  return {
    allowInt64: asked === undefined ? int64AsNumber : asked === 'true',
    callAny,
    refuse: async (rpc, what) => {
      const unserved = new MilvusError(Code.Unimplemented, `${what} is not served by mini-milvus`)
      await dispatchObject({ ...dispatch, handlers: {} }, methodOf(rpc), {}, info).catch((error: unknown) => {
        throw asMilvusError(error)?.code === Code.Unimplemented ? unserved : error
      })
      throw unserved
    },
    call: async (rpc, message) => {
      const response: unknown = await callAny(rpc, message)
      const { status: named, alter_status: altered } = response as { status?: unknown; alter_status?: unknown }
      const status = (methodOf(rpc).response.name === 'Status' ? response : (named ?? altered)) as { code: number; reason: string } | null | undefined
      if (status !== null && status !== undefined && status.code !== 0) throw new MilvusError(status.code, status.reason)
      return response as never
    },
  }
}

function methodOf(rpc: string): MethodInfo {
  const method = methodsByName.get(rpc)
  if (method === undefined) throw new MilvusError(Code.Unimplemented, `${rpc} is unknown`)
  return method
}
