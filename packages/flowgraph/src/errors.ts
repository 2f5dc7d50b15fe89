/**
 * Every failure of a graph that is not a bad argument. An abort is `signal.reason`, unwrapped.
 */
const codes = {
  FLOW_ABORTED: { retryable: false, summary: 'The signal given to start aborted, with a reason that is no Error; `cause` is the reason.' },
  FLOW_ALREADY_STARTED: { retryable: false, summary: 'The graph runs: nodes and edges are fixed, and it starts once.' },
  FLOW_BAD_RESULT: {
    retryable: false,
    summary: 'An operator returned what cannot be sent: no message, a wrong tick, or an edge that does not exist.',
  },
  FLOW_CHECKPOINT_FAILED: { retryable: false, summary: 'A `snapshot` or the store of checkpoints threw.' },
  FLOW_CLOSED: { retryable: false, summary: 'The graph was closed.' },
  FLOW_CLOSE_FAILED: { retryable: false, summary: "A node's `close` threw." },
  FLOW_CLOSE_TIMEOUT: {
    retryable: false,
    summary: 'Draining, running operators or a node’s `close` took longer than `timeoutMs`; the rest was dropped.',
  },
  FLOW_CYCLE: { retryable: false, summary: 'Edges lead back to where they started.' },
  FLOW_DUPLICATE_EDGE: { retryable: false, summary: 'An edge is named twice, or the edges of a node were set twice.' },
  FLOW_DUPLICATE_NODE: { retryable: false, summary: 'A node of this name is in the graph.' },
  FLOW_EDGE_MISMATCH: { retryable: false, summary: 'An edge is named by one of its two ends only.' },
  FLOW_LISTENER_FAILED: { retryable: false, summary: '`onFrontier` threw.' },
  FLOW_NO_SOURCE: { retryable: false, summary: 'A node without inputs is no source, a source has inputs, or the graph has no source.' },
  FLOW_OPERATOR_FAILED: {
    retryable: false,
    summary: 'An operator threw or rejected; `details` has the node and tick, `cause` the reason.',
  },
  FLOW_SOURCE_FAILED: { retryable: false, summary: 'A source threw, rejected or gave something that is no message.' },
  FLOW_TICK_NOT_RISING: { retryable: false, summary: 'A source gave a tick that is not above its last.' },
  FLOW_UNKNOWN_NODE: { retryable: false, summary: 'Edges name a node that was not added.' },
  FLOW_UNREACHABLE: { retryable: false, summary: 'No source leads to a node.' },
} as const

export type FlowGraphErrorCode = keyof typeof codes
export const FLOW_GRAPH_ERROR_CODES: Readonly<Record<FlowGraphErrorCode, { readonly retryable: boolean; readonly summary: string }>> = codes

/** What is known of a failure; which fields are there depends on the code. */
export interface FlowGraphErrorDetails {
  /** The node that failed. */
  readonly node?: string | undefined
  /** The tick it failed at. */
  readonly timeTick?: bigint | undefined
  /** Every tick up to this one, inclusive, has left all sinks: restart the sources above it. */
  readonly lastWholeTick?: bigint | undefined
  /** Nodes that a faulty graph is about. */
  readonly nodes?: readonly string[] | undefined
  /** Everything that is wrong with a faulty graph. */
  readonly problems?: readonly string[] | undefined
}

export interface FlowGraphErrorOptions {
  readonly cause?: unknown
  readonly retryable?: boolean | undefined
  readonly details?: FlowGraphErrorDetails | undefined
}

/** The one error class of this package. Recognise it with {@link isFlowGraphError}, which also knows other copies of the package. */
export class FlowGraphError extends Error {
  override readonly name: string = 'FlowGraphError'
  readonly code: FlowGraphErrorCode
  readonly retryable: boolean
  readonly details: FlowGraphErrorDetails

  constructor(code: FlowGraphErrorCode, message: string, options: FlowGraphErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? codes[code].retryable
    this.details = options.details ?? {}
  }

  /** Ticks become decimal strings. */
  toJSON(): Record<string, unknown> {
    const details = Object.fromEntries(
      Object.entries(this.details).map(([key, value]) => [key, typeof value === 'bigint' ? value.toString() : value]),
    )
    return { name: this.name, code: this.code, message: this.message, retryable: this.retryable, details }
  }
}

/** True for a FlowGraphError of this or any other copy of the package, with this code if one is given. */
export function isFlowGraphError(error: unknown, code?: FlowGraphErrorCode): error is FlowGraphError {
  if (typeof error !== 'object' || error === null) return false
  const { name, code: itsCode } = error as { name?: unknown; code?: unknown }
  return name === 'FlowGraphError' && typeof itsCode === 'string' && (code === undefined || itsCode === code)
}
