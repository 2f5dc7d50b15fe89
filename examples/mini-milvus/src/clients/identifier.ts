/**
 * Identifiers that Connect gives: a fresh timestamp, as in Milvus, and above it the rule that the client asked for. A node that has
 * started anew, or has forgotten an idle client, so still knows the rule of the next call: SDKs connect once.
 */
import type { Visibility } from '../staging/visibility.ts'

const RULES: readonly (Visibility | undefined)[] = [undefined, 'milvus', 'flush']
/** Timestamps stay below until 2248. */
const RULE_BIT = 61n

export function identifierFor(timestamp: bigint, rule: Visibility | undefined): bigint {
  return timestamp | (BigInt(RULES.indexOf(rule)) << RULE_BIT)
}

/** The rule that its client asked for when it connected. */
export function ruleOfIdentifier(identifier: bigint | undefined): Visibility | undefined {
  return identifier === undefined ? undefined : RULES[Number(identifier >> RULE_BIT)]
}
