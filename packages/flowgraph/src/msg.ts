/** What travels the edges of a graph (appendix A.4.2). */

/**
 * One step of time on one edge: everything with a timestamp in (previous tick, `timeTick`]. A message is a pack, not a
 * row: its own fields carry as many rows as the step has. The graph reads the three fields below and nothing else.
 *
 * Messages are shared: a fan-out hands the same object to several operators, so an operator must not change its inputs.
 */
export interface Msg {
  /** 46 bits of milliseconds, 18 of logic; not negative. */
  readonly timeTick: bigint
  /** This step has nothing for the receiver: the tick passes by without `operate`. */
  readonly skipThisTick?: boolean | undefined
  /**
   * Which of the sender's out edges, counted as in `setEdges`, takes this message; the others get a skip marker. It holds for one hop:
   * a node that passes on one of its inputs as it came sends it to everyone.
   */
  readonly downStreamNodeIdx?: number | undefined
  /** The same by the name of the downstream node; `downStreamNodeIdx` wins where both are given. */
  readonly downStreamNodeName?: string | undefined
  /** What this message counts against `maxQueueBytes`, in bytes; 0 if not given. Must not change while the message travels. */
  readonly byteLength?: number | undefined
}

/**
 * Progress without content. Travels every edge like any message, so that joins below stay in step where an operator
 * had nothing to say.
 */
export class SkipTickMsg implements Msg {
  readonly timeTick: bigint

  constructor(timeTick: bigint) {
    this.timeTick = timeTick
  }

  get skipThisTick(): true {
    return true
  }
}

/**
 * What an operator gives for a step:
 * - one message: to every downstream, or to the one that its `downStreamNodeIdx` or `downStreamNodeName` names;
 * - an array: element `i` to downstream `i`, unless the element names another; at most one message for each downstream;
 * - nothing, or an absent element: a {@link SkipTickMsg} travels there instead.
 *
 * Each message must carry the tick of the step. What a node without downstreams returns is ignored.
 */
export type OperateResult = Msg | readonly (Msg | undefined)[] | undefined | void
