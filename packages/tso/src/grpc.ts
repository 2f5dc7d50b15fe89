/** An oracle served over gRPC, and a source that asks it. Needs `@grpc/grpc-js`. */
export { checkTimestampHealth, connectTimestampSource } from './grpc/client.ts'
export type { ConnectTimestampSourceOptions, RemoteSourceEvent, RemoteSourceStates, RemoteTimestampSource, TimestampHealthOptions } from './grpc/client.ts'
export { addTimestampService, serveTimestampOracle } from './grpc/server.ts'
export type { GrpcServer, ServeTimestampOracleOptions, TimestampServer, TimestampServiceOptions } from './grpc/server.ts'
