import { readFileSync } from 'node:fs'
import { Writable } from 'node:stream'
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { EXIT } from './exit-codes.ts'
import type { Host } from './host.ts'
import { createProgram } from './program.ts'

const DOCUMENT = readFileSync(new URL('../../../docs/cli.md', import.meta.url), 'utf8')

const host: Host = {
  args: [],
  env: {},
  cwd: '/',
  stdin: process.stdin,
  stdout: new Writable(),
  stderr: new Writable(),
  now: () => 0,
  interrupted: new AbortController().signal,
}
const leaves = leavesOf(createProgram(host), '')

describe('docs/cli.md', () => {
  it('has a line for each command, and for no other', () => {
    const documented = [...DOCUMENT.matchAll(/^\| `holdfast ([a-z ]+?)(?: --role ROLE| [[A-Z].*?)?` \|/gm)]
    expect(documented.map(([, name]) => name).sort()).toEqual(leaves.map(({ name }) => name).sort())
  })

  it('names every option of every command', () => {
    const everywhere = [
      ...['--idempotency-key', '--no-wait', '--yes', '--env', '--limit', '--all', '--cursor'],
      '--target-database',
    ]
    for (const { name, command } of leaves) {
      const [line = ''] = new RegExp(`^\\| .holdfast ${name}\\b.*$`, 'm').exec(DOCUMENT) ?? []
      const isLatest = (flag: string) =>
        flag === '--target' && name !== 'backup list' && name !== 'operation list'
      for (const { long } of command.options) {
        const place = everywhere.includes(long ?? '') || isLatest(long ?? '') ? DOCUMENT : line
        expect(place, `${name} ${long}`).toContain(long)
      }
    }
  })

  it('tells each exit status', () => {
    const documented = [...DOCUMENT.matchAll(/^\| (\d+) \|/gm)].map(([, status]) => Number(status))
    expect(documented).toEqual(Object.values(EXIT))
  })
})

describe('the help', () => {
  it('explains every command and every option', () => {
    for (const { name, command } of leaves) {
      expect(command.description(), name).not.toBe('')
      for (const option of command.options) expect(option.description, `${name} ${option.long}`).not.toBe('')
    }
  })

  it('offers no option that would take a key or a password', () => {
    const flags = leaves.flatMap(({ command }) => command.options.map(({ long }) => long))
    expect(flags.filter((flag) => /key$|password|secret|token/.test(flag ?? ''))).toEqual(
      flags.filter((flag) => flag === '--idempotency-key'),
    )
  })
})

function leavesOf(
  command: Command,
  path: string,
): readonly { readonly name: string; readonly command: Command }[] {
  if (command.commands.length === 0) return [{ name: path, command }]
  return command.commands.flatMap((child) => leavesOf(child, `${path} ${child.name()}`.trim()))
}
