import type { KafkaProducer, KafkaSendBatch, KafkaSender } from '../client.ts'
import { translated } from './failures.ts'
import type { Producer, Send, Sent } from './types.ts'

/** The calls of a producer as kafkajs has them. */
export function producerOf(producer: Producer): KafkaProducer {
  return {
    async connect() {
      await translated(producer.metadata({ topics: [] }))
    },
    disconnect: () => producer.close(true),
    ...senderOf((send) => producer.send(send)),
    async transaction() {
      const transaction = await translated(producer.beginTransaction())
      return {
        ...senderOf((send) => transaction.send(send)),
        commit: () => translated(transaction.commit()),
        abort: () => translated(transaction.abort()),
      }
    },
  }
}

function senderOf(send: (options: Send) => Promise<Sent>): KafkaSender {
  return {
    async sendBatch({ acks, topicMessages }: KafkaSendBatch) {
      const messages = topicMessages.flatMap(({ topic, messages: values }) => values.map(({ value, partition }) => ({ topic, partition, value })))
      const { offsets = [] } = await translated(send({ acks, messages }))
      return offsets.map(({ topic, offset }) => ({ topicName: topic, errorCode: 0, baseOffset: String(offset) }))
    },
  }
}
