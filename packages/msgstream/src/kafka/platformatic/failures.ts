/** Failures of @platformatic/kafka, which come in trees, as `kafkaError` reads them: the protocol's own answer where there is one. */

interface Failure {
  readonly name?: unknown
  readonly message?: unknown
  readonly apiId?: unknown
  readonly canRetry?: unknown
  readonly errors?: readonly unknown[]
  readonly cause?: unknown
}

/** The answer of a broker somewhere in the tree. The last one counts: what was tried again ended with it. */
function answerIn(error: unknown, depth = 0): Failure | undefined {
  if (typeof error !== 'object' || error === null || depth > 6) return undefined
  const failure: Failure = error
  if (typeof failure.apiId === 'string') return failure
  for (const inner of [...(Array.isArray(failure.errors) ? (failure.errors as unknown[]) : [])].reverse()) {
    const found = answerIn(inner, depth + 1)
    if (found !== undefined) return found
  }
  return answerIn(failure.cause, depth + 1)
}

/** The protocol's name of the answer, such as `OFFSET_OUT_OF_RANGE`. */
export function answerOf(error: unknown): string | undefined {
  const id = answerIn(error)?.apiId
  return typeof id === 'string' ? id : undefined
}

export function isUnknownTopic(error: unknown): boolean {
  return ['UNKNOWN_TOPIC_OR_PARTITION', 'UNKNOWN_TOPIC_ID'].includes(answerOf(error) ?? '') || (error instanceof Error && error.message.startsWith('Unknown topic'))
}

/** `type` and `retriable` say what the broker said; without them nobody did. */
export class DriverFailure extends Error {
  readonly type: string | undefined
  readonly retriable: boolean
  /** What the driver threw; not `cause`, which would be read for the broker's answer again. */
  readonly thrown: unknown

  constructor(thrown: unknown) {
    const answer = answerIn(thrown)
    const message = (answer ?? (thrown as Failure | undefined))?.message
    super(typeof message === 'string' ? message : String(thrown))
    this.name = 'KafkaFailure'
    this.type = typeof answer?.apiId === 'string' ? answer.apiId : undefined
    this.retriable = answer?.canRetry !== false
    this.thrown = thrown
  }
}

export const translated = <T>(work: Promise<T>): Promise<T> =>
  work.catch((error: unknown) => {
    throw new DriverFailure(error)
  })
