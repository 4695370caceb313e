import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { outputHasSha256, shellQuote } from './shell-commands.ts'

describe('shellQuote', () => {
  it.each([
    'en_US.UTF-8',
    '',
    '-x',
    "it's",
    "'",
    "''",
    'a b',
    '$(touch pwned)',
    '`id`',
    '"',
    '\\',
    "\\'",
    'a\nb',
    'é ☃ €',
    '~',
    '*',
    '!!',
    '#',
    'a;b&c|d<e>f',
  ])('makes one word of %j', (text) => {
    const { stdout } = spawnSync('sh', ['-c', `printf '<%s>' ${shellQuote(text)}`], { encoding: 'utf8' })
    expect(stdout).toBe(`<${text}>`)
  })
})

describe('outputHasSha256', () => {
  it.each([
    ['printf abc', 0],
    ['printf abd', 1],
    ['exit 3', 1],
  ])('compares what %s prints', (command, status) => {
    const sha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    expect(spawnSync('sh', ['-c', outputHasSha256(command, sha256)]).status).toBe(status)
  })
})
