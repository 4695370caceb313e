/** One server-sent event, or a comment. */
export interface ReceivedEvent {
  readonly event: string | null
  readonly id: string | null
  // biome-ignore lint/suspicious/noExplicitAny: tests look into data of every shape
  readonly data: any
  readonly comment: string | null
}

/** Yields the events of a stream as they arrive; ends with it. */
export async function* readEvents(response: Response): AsyncGenerator<ReceivedEvent> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      yield parseEvent(text.slice(0, end))
      text = text.slice(end + 2)
    }
  }
}

function parseEvent(block: string): ReceivedEvent {
  const field = (name: string) => {
    const line = block.split('\n').find((candidate) => candidate.startsWith(`${name}:`))
    return line === undefined ? null : line.slice(name.length + 1).trim()
  }
  const data = field('data')
  return {
    event: field('event'),
    id: field('id'),
    data: data === null ? null : JSON.parse(data),
    comment: field(''),
  }
}
