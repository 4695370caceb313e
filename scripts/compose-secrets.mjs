// node scripts/compose-secrets.mjs [DIRECTORY]: the secrets that docker-compose.yml names, made once. What is there
// already stays: the catalog's credentials can be read only with the master key that sealed them.
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { ROOT } from './setup/paths.mjs'

const directory = resolve(process.argv[2] ?? join(ROOT, 'secrets'))
if (existsSync(directory)) {
  process.stdout.write(`${directory} is there already: nothing was changed\n`)
} else {
  makeSecrets(directory)
  process.stdout.write(`made ${directory}: keep a copy of master_key in a safe place\n`)
}

/** @param {string} destination */
function makeSecrets(destination) {
  const redisPassword = password()
  const postgresPassword = password()
  /** @type {Readonly<Record<string, string>>} */
  const secrets = {
    redis_conf: `requirepass ${redisPassword}\n`,
    redis_url: `redis://:${redisPassword}@redis:6379`,
    postgres_password: postgresPassword,
    catalog_url: `postgres://holdfast:${postgresPassword}@postgres:5432/holdfast`,
    master_key: randomBytes(32).toString('base64'),
    api_key: `hf_${password()}`,
  }
  // all or none: half of them would not fit the other half that a second run makes
  const temporary = `${destination}.${process.pid}`
  mkdirSync(temporary, { recursive: true, mode: 0o700 })
  try {
    for (const [name, text] of Object.entries(secrets)) {
      writeFileSync(join(temporary, name), text)
      // the users inside the containers read them through a mount; the directory keeps everybody else out
      chmodSync(join(temporary, name), 0o644)
    }
    renameSync(temporary, destination)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

function password() {
  return randomBytes(24).toString('hex')
}
