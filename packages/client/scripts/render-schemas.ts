import { DIRECT_PAYLOADS } from '@holdfast/core'

/** Where the published schemas lie. */
export const SCHEMA_DIRECTORY = new URL('../schemas/', import.meta.url)

const TITLES: Readonly<Record<keyof typeof DIRECT_PAYLOADS, string>> = {
  backup: 'Back up a target',
  restore: 'Restore a backup into a target',
  verify: 'Verify a backup',
  retention: 'Remove what has expired',
}

/** The published schemas by file name, made from those that workers validate by. */
export function renderSchemas(): Readonly<Record<string, object>> {
  // Object.keys loses the literal type; the object is the only source of its keys
  const queues = Object.keys(DIRECT_PAYLOADS) as readonly (keyof typeof DIRECT_PAYLOADS)[]
  return Object.fromEntries(
    queues.map((queue) => [`${queue}.v1.json`, render(queue, TITLES[queue], DIRECT_PAYLOADS[queue])]),
  )
}

function render(name: string, title: string, schema: object): object {
  // the library keeps what only it needs in places that JSON leaves out
  const plain: unknown = JSON.parse(JSON.stringify(schema))
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `urn:holdfast:job:${name}:v1`,
    title,
    ...(typeof plain === 'object' ? plain : {}),
  }
}
