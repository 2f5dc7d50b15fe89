/** What the node needs of a logger; pino's loggers are such. */
export interface NodeLogger {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void
  info(fields: Readonly<Record<string, unknown>>, message: string): void
  warn(fields: Readonly<Record<string, unknown>>, message: string): void
  error(fields: Readonly<Record<string, unknown>>, message: string): void
}

export const silentLogger: NodeLogger = { debug() {}, info() {}, warn() {}, error() {} }
