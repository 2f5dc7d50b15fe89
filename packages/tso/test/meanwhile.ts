/** Starts an assertion about a call that is still under way; await it once the rest of the test has settled the call. */
export function meanwhile(assertion: () => Promise<void>): Promise<void> {
  return assertion()
}
