import type { KafkaAdmin } from '../client.ts'
import { answerOf, isUnknownTopic, translated } from './failures.ts'
import type { Admin } from './types.ts'

const EARLIEST = -2n
const LATEST = -1n
const READ_COMMITTED = 1
/** The brokers' default. */
const REPLICAS = -1

/** The calls of an admin as kafkajs has them. */
export function adminOf(admin: Admin): KafkaAdmin {
  const edge = async (topic: string, timestamp: bigint): Promise<string> => {
    const [answer] = await admin.listOffsets({ topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp }] }], isolationLevel: READ_COMMITTED })
    return String(answer?.partitions[0]?.offset ?? 0n)
  }
  return {
    async connect() {
      await translated(admin.metadata({ topics: [] }))
    },
    disconnect: () => admin.close(),
    listTopics: () => translated(admin.listTopics()),
    async createTopics({ topics }) {
      const [{ topic, numPartitions, replicationFactor = REPLICAS }] = topics as [(typeof topics)[0]]
      try {
        await admin.createTopics({ topics: [topic], partitions: numPartitions, replicas: replicationFactor })
      } catch (error) {
        if (answerOf(error) !== 'TOPIC_ALREADY_EXISTS') await translated(Promise.reject(error as Error))
      }
      // Brokers hear of a new topic one after the other; this fails, to be asked again, until one has heard.
      await translated(admin.metadata({ topics: [topic], forceUpdate: true }))
      return true
    },
    async deleteTopics({ topics }) {
      await admin.deleteTopics({ topics }).catch((error: unknown) => (isUnknownTopic(error) ? undefined : translated(Promise.reject(error as Error))))
    },
    async deleteTopicRecords({ topic, partitions }) {
      await translated(admin.deleteRecords({ topics: [{ name: topic, partitions: partitions.map(({ partition, offset }) => ({ partition, offset: BigInt(offset) })) }] }))
    },
    // Readers here are in no group.
    deleteGroups: () => Promise.resolve(undefined),
    async fetchTopicOffsets(topic) {
      const [low, high] = await translated(Promise.all([edge(topic, EARLIEST), edge(topic, LATEST)]))
      return [{ partition: 0, low, high }]
    },
  }
}
