/**
 * A server that answers at once: for each method the bytes that a real node answered before. What a client reaches against
 * it is the ceiling of client, gRPC and machine.
 */
import { fileURLToPath } from 'node:url'
import { fork } from 'node:child_process'

/** Starts it in a process of its own. @param answers method path to response bytes */
export async function startHollow(answers) {
  const child = fork(fileURLToPath(new URL('hollow-process.mjs', import.meta.url)), { serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const address = await new Promise((resolve, reject) => {
    child.once('message', resolve)
    child.once('exit', (code) => reject(new Error(`the hollow server ended with ${code}`)))
    child.send(answers)
  })
  return { address, stop: () => new Promise((resolve) => (child.once('exit', resolve), child.kill('SIGTERM'))) }
}

/** Stands between a client and a node and keeps the last answer of each method. */
export async function startRecorder(grpc, target) {
  const answers = new Map()
  const upstream = new grpc.Client(target, grpc.credentials.createInsecure(), unlimited)
  const server = bytesServer(grpc, (path, request, metadata, reply) => {
    upstream.makeUnaryRequest(path, passThrough, passThrough, request, metadata, (error, response) => {
      if (error === null) answers.set(path, response)
      reply(error, response)
    })
  })
  const address = await bind(grpc, server)
  return { address, answers, stop: () => (server.forceShutdown(), upstream.close()) }
}

const unlimited = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 }
const passThrough = (bytes) => bytes
const methods = ['Connect', 'GetVersion', 'DescribeCollection', 'Insert', 'Search', 'Query', 'CreateCollection', 'CreateIndex', 'LoadCollection', 'GetLoadingProgress', 'Flush', 'GetFlushState', 'DescribeIndex', 'DropCollection', 'GetLoadState']

export function bytesServer(grpc, handle) {
  const server = new grpc.Server(unlimited)
  const services = [['MilvusService', methods], ['ClientTelemetryService', ['ClientHeartbeat']]]
  for (const [service, names] of services) {
    const definition = {}
    const handlers = {}
    for (const name of names) {
      const path = `/milvus.proto.milvus.${service}/${name}`
      definition[name] = { path, requestStream: false, responseStream: false, requestSerialize: passThrough, requestDeserialize: passThrough, responseSerialize: passThrough, responseDeserialize: passThrough }
      handlers[name] = (call, callback) => handle(path, call.request, call.metadata, callback)
    }
    server.addService(definition, handlers)
  }
  return server
}

export function bind(grpc, server) {
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => (error === null ? resolve(`127.0.0.1:${port}`) : reject(error)))
  })
}
