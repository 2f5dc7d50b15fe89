export interface KafkaConnection {
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly ssl?: object | boolean | undefined
  readonly sasl?: object | undefined
  readonly timeoutMs: number
}
