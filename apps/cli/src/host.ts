import type { ReadStream, WriteStream } from 'node:tty'

/** An end of the process's own streams: a terminal, a pipe or a file. */
export type OutputStream = NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY' | 'columns'>>
export type InputStream = NodeJS.ReadableStream & Partial<Pick<ReadStream, 'isTTY'>>

/** Everything that a command knows of the process it runs in. Only main.ts makes one. */
export interface Host {
  /** The words after the program's name. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly stdin: InputStream
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly now: () => number
  /** Aborted when a person or the system wants the program to end. */
  readonly interrupted: AbortSignal
}
