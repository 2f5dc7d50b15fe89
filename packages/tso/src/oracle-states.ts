/** What an oracle tells about itself. */
export interface TimestampOracleStates {
  readonly status: 'opening' | 'serving' | 'fenced' | 'closed'
  /** Of the last timestamp served. */
  readonly physicalMs: number
  readonly logical: number
  /** Saved: nothing at or above is served. */
  readonly windowEndMs: number
  /** How far the physical part is ahead of the wall clock; negative when it lags behind. */
  readonly leadMs: number
  /** `behind`: the clock was set back. `jumped`: it was set forward by more than `maxForwardJumpMs`, and is not followed. */
  readonly clock: 'steady' | 'behind' | 'jumped'
  readonly clockOffByMs: number
  readonly saves: number
  readonly saveFailures: number
  readonly lastSaveError: unknown
}

export type TsoEvent =
  | { readonly type: 'clock-behind' | 'clock-jumped'; readonly byMs: number }
  | { readonly type: 'clock-steady' }
  | { readonly type: 'clock-waiting'; readonly leadMs: number }
  | { readonly type: 'save-failed'; readonly error: unknown }
  | { readonly type: 'fenced'; readonly error: unknown }
  | { readonly type: 'record-recreated' }
