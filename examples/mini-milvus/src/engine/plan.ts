/** How a search is done. Costs are in rows that an exact scan would read. */

/** What following the graph costs per candidate (`ef`), against reading one row. Measured at 128 dimensions; both grow with them. */
const ROWS_PER_CANDIDATE = 22
const DEFAULT_EF = 112

/**
 * Candidates to ask the graph for so that the wanted rows are among them with the recall that `ef` gives without a filter: a
 * filter that keeps one row in n pushes the k-th hit n times further back.
 */
export function candidatesFor(k: number, ef: number | undefined, rows: number, allowed: number): number {
  const base = Math.max(k, ef ?? Math.max(DEFAULT_EF, Math.ceil(k * 1.5)))
  if (allowed === 0) return base
  return Math.ceil(base + 2 * k * (rows / allowed - 1))
}

/** True where reading every allowed row is cheaper than the graph, and exact besides. */
export function scanIsCheaper(candidates: number, allowed: number): boolean {
  return allowed <= candidates * ROWS_PER_CANDIDATE
}
