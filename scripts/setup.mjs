// npm run setup: everything that `npm start` needs; `npm run setup -- --tests` also what `npm test` needs.
// It runs on any Node.js from 18 up and uses no package.
import { FOR_SERVICE, FOR_TESTS, prepare } from './setup/prepare.mjs'

const [option, ...rest] = process.argv.slice(2)
if (rest.length > 0 || (option !== undefined && option !== '--tests')) {
  process.stderr.write('usage: npm run setup [-- --tests]\n')
  process.exit(2)
}
const hasOwnRedis = Boolean(process.env.HOLDFAST_REDIS_URL || process.env.HOLDFAST_REDIS_URL_FILE)
const { didWork } = await prepare(option === '--tests' ? FOR_TESTS : hasOwnRedis ? [] : FOR_SERVICE)
process.stdout.write(didWork ? 'Holdfast is set up.\n' : 'Holdfast is set up already.\n')
