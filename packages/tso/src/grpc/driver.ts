/** The only place that loads the driver: who imports this package without gRPC need not have it. */
import type * as Driver from '@grpc/grpc-js'
import { TsoError } from '../errors.ts'

export type GrpcDriver = typeof Driver

export async function loadDriver(): Promise<GrpcDriver> {
  try {
    return await import('@grpc/grpc-js')
  } catch (cause) {
    throw new TsoError('TSO_DRIVER_MISSING', '@timetick/tso/grpc needs the package @grpc/grpc-js: npm install @grpc/grpc-js', { cause })
  }
}

/** Plain text unless told. Checked here, since a client that is made later would throw where nobody listens. */
export function channelCredentials(driver: GrpcDriver, credentials: object | undefined): Driver.ChannelCredentials {
  if (credentials === undefined) return driver.credentials.createInsecure()
  if (credentials instanceof driver.ChannelCredentials) return credentials
  throw new TypeError('expected `credentials` to be ChannelCredentials of the installed @grpc/grpc-js')
}
