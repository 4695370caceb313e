import type { Logger } from '@holdfast/core'

export interface RecordingLog extends Logger {
  readonly lines: readonly { readonly level: string; readonly message: string; readonly fields: object }[]
  /** All of it as text, errors with everything that hangs on them. */
  text(): string
}

/** A log that keeps what it was told. */
export function recordingLog(): RecordingLog {
  const lines: { level: string; message: string; fields: object }[] = []
  const at = (level: string) => (fields: object, message: string) => {
    lines.push({ level, message, fields })
  }
  return {
    lines,
    text: () => JSON.stringify(lines, withErrors),
    ...{ debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') },
  }
}

function withErrors(_key: string, value: unknown): unknown {
  return value instanceof Error ? { ...value, text: value.stack, cause: value.cause } : value
}
