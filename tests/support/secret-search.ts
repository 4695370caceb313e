import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Something that must not be seen, by a name that may. */
export interface Secret {
  readonly name: string
  readonly bytes: Buffer
}

export function secret(name: string, text: string): Secret {
  return { name, bytes: Buffer.from(text) }
}

/** The names of the secrets that occur in the bytes, in any of the spellings that secrets are found in. */
export function secretsIn(bytes: Buffer, secrets: readonly Secret[]): readonly string[] {
  return secrets
    .filter((each) => spellingsOf(each).some((spelling) => bytes.includes(spelling)))
    .map(({ name }) => name)
}

const spellings = new Map<Secret, readonly Buffer[]>()

function spellingsOf(each: Secret): readonly Buffer[] {
  const known = spellings.get(each) ?? spell(each.bytes)
  spellings.set(each, known)
  return known
}

function spell(bytes: Buffer): readonly Buffer[] {
  const text = bytes.toString('latin1')
  const encoded = encodeURIComponent(text)
  const forms = [
    text,
    encoded,
    encodeURIComponent(encoded),
    encodeURI(text),
    JSON.stringify(text).slice(1, -1),
    bytes.toString('hex'),
    ...base64Anywhere(bytes),
    ...base64Anywhere(Buffer.from(encoded)),
  ]
  return [...new Set(forms)].map((form) => Buffer.from(form, 'latin1'))
}

/** Within base64 of something longer, the text looks different for each of three places that it may begin at. */
function base64Anywhere(bytes: Buffer): readonly string[] {
  return [0, 1, 2].flatMap((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64')
    const whole = text.replace(/=*$/, '').slice(Math.ceil((shift * 8) / 6), -1)
    return [whole, whole.replaceAll('+', '-').replaceAll('/', '_')]
  })
}

/** Where below a directory which secrets lie: `path: name`, for every file that is not a link. */
export async function secretsBelow(
  directory: string,
  secrets: readonly Secret[],
): Promise<readonly string[]> {
  const found: string[] = []
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const bytes = await readFile(path).catch(() => Buffer.alloc(0))
    const names = secretsIn(Buffer.concat([Buffer.from(`${path}\n`), bytes]), secrets)
    found.push(...names.map((name) => `${path.slice(directory.length + 1)}: ${name}`))
  }
  return found.toSorted()
}

/** What of an environment must hold no secret: all of it, unless a program can be told one in no other way. */
export type EnvironmentRule = (command: string, entries: readonly string[]) => readonly string[]

/** Watches the command lines of all processes of the machine, and the environments of those below the given ones. */
export function watchProcesses(
  secrets: readonly Secret[],
  parents: () => readonly number[],
  rule: EnvironmentRule = (_command, entries) => entries,
) {
  const found = new Set<string>()
  let looks = 0
  const look = async () => {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
    for (const pid of pids) {
      const command = await read(`/proc/${pid}/cmdline`)
      for (const name of secretsIn(command, secrets)) found.add(`command line of ${command}: ${name}`)
      const stat = String(await read(`/proc/${pid}/stat`))
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      if (!parents().includes(parent)) continue
      const entries = (await read(`/proc/${pid}/environ`)).toString('latin1').split('\0')
      const environment = Buffer.from(rule(String(command), entries).join('\0'), 'latin1')
      for (const name of secretsIn(environment, secrets)) found.add(`environment of ${command}: ${name}`)
    }
    looks += 1
  }
  let looking = Promise.resolve()
  const timer = setInterval(() => {
    looking = looking.then(look)
  }, 50)
  return {
    async stop(): Promise<{ readonly looks: number; readonly found: readonly string[] }> {
      clearInterval(timer)
      await looking
      return { looks, found: [...found] }
    },
  }
}

async function read(path: string): Promise<Buffer> {
  return await readFile(path).catch(() => Buffer.alloc(0))
}
