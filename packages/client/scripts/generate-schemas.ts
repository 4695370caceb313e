// Writes schemas/*.json anew. Run it after a change of packages/core/src/contract/requests.ts, then format the files.
import { writeFileSync } from 'node:fs'
import { renderSchemas, SCHEMA_DIRECTORY } from './render-schemas.ts'

for (const [name, schema] of Object.entries(renderSchemas())) {
  writeFileSync(new URL(name, SCHEMA_DIRECTORY), `${JSON.stringify(schema, null, 2)}\n`)
}
