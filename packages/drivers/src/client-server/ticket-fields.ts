/** What a ticket says, before it is known to be one. */
export type TicketFields = Readonly<Record<string, unknown>>

/** A ticket's text; its first field says which format it has. */
export function ticketOf(content: object): string {
  return JSON.stringify({ version: 1, ...content })
}

/** The fields of a text that {@link ticketOf} may have made; null if it cannot have. */
export function ticketFields(ticket: string): TicketFields | null {
  const parsed = parse(ticket)
  return isRecord(parsed) && parsed.version === 1 ? parsed : null
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function isRecord(value: unknown): value is TicketFields {
  return typeof value === 'object' && value !== null
}
