// The process that keeps writing to the sample database: an order every few milliseconds, each its own transaction.
import { DatabaseSync } from 'node:sqlite'

const EVERY_MS = 10

let commits = 0
let timer: NodeJS.Timeout | null = null

process.on('message', (message: 'stop' | { readonly file: string }) => {
  if (message === 'stop') {
    if (timer !== null) clearInterval(timer)
    process.send?.({ commits })
    return
  }
  const database = new DatabaseSync(message.file, { timeout: 5000 })
  const insert = database.prepare('INSERT INTO orders (item, price) VALUES (?, ?)')
  timer = setInterval(() => {
    insert.run(`live item ${commits}`, commits % 1000)
    commits += 1
  }, EVERY_MS)
  process.send?.({ commits })
})
// whoever started us is gone, or is done with us
process.on('disconnect', () => process.exit())
