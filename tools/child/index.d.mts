import type { ChildProcess } from 'node:child_process'

export interface Child {
  readonly process: ChildProcess
  /** Lines of its output so far. */
  readonly lines: string[]
  /** What it wrote to stderr so far. */
  readonly errors: string[]
  /** Resolves once `count` lines start so; rejects when the process ends first. */
  line(start: string, count?: number): Promise<void>
  readonly exited: Promise<void>
}

export interface ChildOptions {
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>> | undefined
  /** What stands before `node`, as `['strace', '-f']`. */
  readonly command?: readonly string[] | undefined
}

/** Bundles `<testDir>/fixtures/<name>.ts`, so that a plain Node can run it; `folder` keeps test files that run at once apart. */
export function bundleFixture(testDir: string, name: string, folder: string): Promise<string>
/** Starts `node file ...args`. */
export function startChild(file: string, args: readonly string[], options?: ChildOptions): Child
