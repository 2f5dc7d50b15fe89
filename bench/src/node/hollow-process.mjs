import * as grpc from '@grpc/grpc-js'
import { bind, bytesServer } from './hollow.mjs'

process.once('message', async (answers) => {
  const server = bytesServer(grpc, (path, _request, _metadata, reply) => {
    const answer = answers.get(path)
    if (answer === undefined) reply({ code: grpc.status.UNIMPLEMENTED, details: path })
    else reply(null, Buffer.from(answer))
  })
  process.send(await bind(grpc, server))
})
process.on('disconnect', () => process.exit(0))
process.on('SIGTERM', () => process.exit(0))
