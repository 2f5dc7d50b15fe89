/** After what the event loop has in hand now. */
export function afterTurn(callback: () => void): void {
  setImmediate(callback)
}
