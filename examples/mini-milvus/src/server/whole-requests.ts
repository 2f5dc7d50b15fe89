/**
 * A unary call is answered when its one message is there, as servers in Go answer it, Milvus too: grpc-js would wait for the end of the
 * client's half of the stream. The Node SDK tries calls again without ever ending that half; such a call would be answered by its deadline
 * alone, and would hold up its client's other calls, which wait for their order, until then.
 */
import * as grpc from '@grpc/grpc-js'

export const wholeRequests: grpc.ServerInterceptor = ({ requestStream }, call) => (requestStream ? new grpc.ServerInterceptingCall(call) : new UnaryCall(call))

type Listener = Parameters<grpc.ServerInterceptingCall['start']>[0]

class UnaryCall extends grpc.ServerInterceptingCall {
  override start(listener: Listener): void {
    let isWhole = false
    const end = (): void => {
      if (isWhole) return
      isWhole = true
      listener.onReceiveHalfClose()
    }
    super.start({
      onReceiveMetadata: (metadata) => listener.onReceiveMetadata(metadata),
      onReceiveMessage: (message: unknown) => {
        listener.onReceiveMessage(message)
        end()
      },
      // Without a message before it: refused.
      onReceiveHalfClose: end,
      onCancel: () => listener.onCancel(),
    })
  }
}
