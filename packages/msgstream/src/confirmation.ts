/** The last word on a write of several channels, said between its acknowledgement and the ticks beyond it. */

export interface Confirmation {
  /** Rejects when an append failed, or with the reason of a confirmation that did. */
  readonly done: Promise<void>
  /** Never rejects. Anything but undefined: the confirmation's outcome is unknown, and time must stop. */
  readonly doubt: Promise<unknown>
}

export function startConfirmation(sent: Promise<unknown>, confirm: () => Promise<void>): Confirmation {
  let doubt: unknown
  const confirming = async (): Promise<void> => {
    try {
      await confirm()
    } catch (error) {
      if (isUnknown(error)) doubt = error
      throw error
    }
  }
  const done = sent.then(confirming)
  const decided = (): unknown => doubt
  return { done, doubt: done.then(decided, decided) }
}

function isUnknown(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'outcome' in error && error.outcome === 'unknown'
}
