import { describe, expect, it } from 'vitest'
import { makeArtifact, makeManifest, makeSigner } from '../../fixtures/manifest.ts'
import { canonicalJson } from './canonical-json.ts'
import { MAX_MANIFEST_BYTES, parseManifest, signManifest } from './manifest.ts'

const signer = makeSigner('key-1')
const manifest = makeManifest()
const bytes = signManifest(manifest, signer)

/** The parsed object, changed and signed again: what only the holder of the key can write. */
function resigned(change: (value: Record<string, unknown>) => void): Uint8Array {
  const value: Record<string, unknown> = JSON.parse(Buffer.from(bytes).toString())
  delete value.signature
  change(value)
  const signature = {
    keyId: 'key-1',
    algorithm: 'ed25519',
    value: signer.sign(Buffer.from(canonicalJson(value))),
  }
  return layOut({ ...value, signature })
}

function layOut(value: unknown): Uint8Array {
  return Buffer.from(`${JSON.stringify(value, null, 2)}\n`)
}

describe('parseManifest', () => {
  it('reads what signManifest wrote', () => {
    const { signature, ...rest } = parseManifest(bytes, signer, { id: manifest.id, target: 'shop' })
    expect(rest).toEqual(manifest)
    expect(signature).toMatchObject({ keyId: 'key-1', algorithm: 'ed25519' })
    expect(Object.hasOwn(rest.rowCounts, '__proto__')).toBe(true)
    expect(Object.getPrototypeOf(rest.rowCounts)).toBe(Object.prototype)
  })

  it.each([
    ['nothing', ''],
    ['no JSON', '{"formatVersion": 1'],
    ['no object', '[]'],
    ['null', 'null'],
    ['no version', '{}'],
    ['a version that is text', '{"formatVersion": "1"}'],
    ['version 0', '{"formatVersion": 0}'],
    ['a version between', '{"formatVersion": 1.5}'],
    ['only a version', '{"formatVersion": 1}'],
    ['deep nesting', `{"formatVersion": 1, "x": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
  ])('refuses %s', (_what, text) => {
    expect(() => parseManifest(Buffer.from(text), signer)).toThrow(
      expect.objectContaining({ code: 'MANIFEST_INVALID' }),
    )
  })

  it('refuses what is too large before it reads it', () => {
    const large = Buffer.alloc(MAX_MANIFEST_BYTES + 1, ' ')
    expect(() => parseManifest(large, signer)).toThrow(expect.objectContaining({ code: 'MANIFEST_INVALID' }))
  })

  it('refuses deep nesting, even signed', () => {
    let nested: unknown = 1
    for (let depth = 0; depth < 80; depth += 1) nested = [nested]
    const value = {
      ...makeManifest(),
      nested,
      signature: { keyId: 'key-1', algorithm: 'ed25519', value: 'AA==' },
    }
    expect(() => parseManifest(layOut(value), signer)).toThrow(
      expect.objectContaining({ code: 'MANIFEST_INVALID' }),
    )
  })

  it('refuses bytes that are not UTF-8', () => {
    const broken = Buffer.from(bytes)
    broken[broken.indexOf('shop')] = 0xff
    expect(() => parseManifest(broken, signer)).toThrow(expect.objectContaining({ code: 'MANIFEST_INVALID' }))
  })

  it.each([2, 3, 1e9])(
    'says that version %d is of a later release, whatever else is in it',
    (formatVersion) => {
      const later = layOut({ formatVersion, everything: 'else' })
      expect(() => parseManifest(later, signer)).toThrow(
        expect.objectContaining({ code: 'MANIFEST_UNSUPPORTED' }),
      )
    },
  )

  it('says whose key is missing, and does not call it damage', () => {
    const other = makeSigner('key-2')
    expect(() => parseManifest(bytes, other)).toThrow(
      expect.objectContaining({
        code: 'MANIFEST_UNTRUSTED',
        message: expect.stringContaining('key-1'),
        hint: expect.stringMatching(/key-1.*key-2.*may well be sound/),
      }),
    )
  })

  it('does not believe another key of the same name', () => {
    expect(() => parseManifest(bytes, makeSigner('key-1'))).toThrow(
      expect.objectContaining({ code: 'MANIFEST_UNTRUSTED', hint: expect.stringContaining('changed') }),
    )
  })

  it.each([
    ['a value', (text: string) => text.replace('"sizeBytes": 8192', '"sizeBytes": 8193')],
    ['a field more', (text: string) => text.replace('"name":', '"extra": 1,\n  "name":')],
    ['a field less', (text: string) => text.replace('  "note": ', '  "other": ')],
    ['a hash', (text: string) => text.replace('aaaa', 'aaab')],
  ])('does not trust a manifest with %s changed', (_what, change) => {
    const changed = Buffer.from(change(Buffer.from(bytes).toString()))
    expect(() => parseManifest(changed, signer)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^MANIFEST_(UNTRUSTED|INVALID)$/) }),
    )
  })

  it.each([
    ['in one line', (text: string) => JSON.stringify(JSON.parse(text))],
    ['with a line more', (text: string) => `${text}\n`],
    ['with a byte order mark', (text: string) => `\ufeff${text}`],
    [
      'with another spelling of an escape',
      (text: string) =>
        text.replace('\\u0007', '\\u0007'.replace('0007', '0007')).replace('M\u00e4rz', 'M\\u00e4rz'),
    ],
    ['with a field twice', (text: string) => text.replace('"name":', '"name": null,\n  "name":')],
  ])('reads only the layout that is written, not one %s', (_what, change) => {
    const changed = Buffer.from(change(Buffer.from(bytes).toString()))
    expect(() => parseManifest(changed, signer)).toThrow(
      expect.objectContaining({ code: 'MANIFEST_INVALID' }),
    )
  })

  it('knows one spelling of a signature', () => {
    const text = Buffer.from(bytes).toString()
    const [, value = ''] = /"value": "([^"]+)"/.exec(text) ?? []
    // the spare bits of the last character before the padding mean nothing to a decoder
    const last = value.replace(
      /(.)==$/,
      (_match, letter: string) => `${String.fromCharCode(letter.charCodeAt(0) + 1)}==`,
    )
    for (const other of [last, value.replace('==', ''), `${value} `, `${value}=`]) {
      const changed = Buffer.from(text.replace(value, other))
      expect(() => parseManifest(changed, signer)).toThrow(
        expect.objectContaining({ code: 'MANIFEST_UNTRUSTED' }),
      )
    }
  })

  it.each([
    ['another id', { id: '0195507a-1c00-7000-8000-ffffffffffff', target: 'shop' }],
    ['another target', { id: manifest.id, target: 'shop-2' }],
  ])('refuses the manifest of a backup with %s', (_what, expected) => {
    expect(() => parseManifest(bytes, signer, expected)).toThrow(
      expect.objectContaining({ code: 'MANIFEST_INVALID' }),
    )
  })

  it('allows fields that it does not know, if they are signed', () => {
    const parsed = parseManifest(
      resigned((value) => Object.assign(value, { encryptedFor: ['age1…'] })),
      signer,
    )
    expect(parsed).toMatchObject({ id: manifest.id, encryptedFor: ['age1…'] })
  })

  it('reads manifests of the first release, which knew neither servers nor other counts than exact ones', () => {
    const parsed = parseManifest(
      resigned((value) => {
        for (const field of ['counting', 'database', 'groupId']) delete value[field]
      }),
      signer,
    )
    expect(parsed).toMatchObject({ counting: 'exact', database: null, groupId: null })
  })

  it('is not led astray by a signed __proto__', () => {
    const text = Buffer.from(resigned(() => {})).toString()
    const value: Record<string, unknown> = JSON.parse(
      text.replace('"name":', '"__proto__": {"polluted": true},\n  "name":'),
    )
    delete value.signature
    const signature = {
      keyId: 'key-1',
      algorithm: 'ed25519',
      value: signer.sign(Buffer.from(canonicalJson(value))),
    }
    const parsed = parseManifest(layOut({ ...value, signature }), signer)
    expect('polluted' in {}).toBe(false)
    expect('polluted' in parsed).toBe(false)
  })

  const faults: readonly (readonly [string, (value: Record<string, unknown>) => void])[] = [
    ['no artifact', (value) => Object.assign(value, { artifacts: [] })],
    [
      'no data',
      (value) => Object.assign(value, { artifacts: [makeArtifact({ role: 'files', name: 'files-1.tar' })] }),
    ],
    [
      'two of a role',
      (value) =>
        Object.assign(value, { artifacts: [makeArtifact(), makeArtifact({ name: 'data-42.sqlite' })] }),
    ],
    [
      'one name twice',
      (value) => Object.assign(value, { artifacts: [makeArtifact(), makeArtifact({ role: 'files' })] }),
    ],
    [
      'a role that does not fit',
      (value) => Object.assign(value, { artifacts: [makeArtifact({ name: 'files-1.tar' })] }),
    ],
    [
      'an artifact elsewhere',
      (value) => Object.assign(value, { artifacts: [makeArtifact({ name: '../../data-1.sqlite' })] }),
    ],
    [
      'an artifact in a folder',
      (value) => Object.assign(value, { artifacts: [makeArtifact({ name: 'data-1.sqlite/x' })] }),
    ],
    [
      'an artifact called like the manifest',
      (value) => Object.assign(value, { artifacts: [makeArtifact({ name: 'manifest.json' })] }),
    ],
    ['a negative size', (value) => Object.assign(value, { sizeBytes: -1 })],
    ['a size beyond exact numbers', (value) => Object.assign(value, { sizeBytes: 2 ** 60 })],
    ['a hash in capitals', (value) => Object.assign(value, { checksum: 'A'.repeat(64) })],
    ['a target that is a path', (value) => Object.assign(value, { target: '../shop' })],
    ['an id that is none', (value) => Object.assign(value, { id: 'latest' })],
    [
      'an unknown codec',
      (value) => Object.assign(value, { artifacts: [{ ...makeArtifact(), codec: 'lzma' }] }),
    ],
    [
      'an unknown cipher',
      (value) => Object.assign(value, { artifacts: [{ ...makeArtifact(), cipher: 'age' }] }),
    ],
    ['a row count that is text', (value) => Object.assign(value, { rowCounts: { a: '1' } })],
    ['a time that is none', (value) => Object.assign(value, { consistentAt: 'yesterday' })],
  ]
  it.each(faults)('refuses %s, even signed', (_what, change) => {
    expect(() => parseManifest(resigned(change), signer)).toThrow(
      expect.objectContaining({ code: 'MANIFEST_INVALID' }),
    )
  })
})

describe('signManifest', () => {
  it('writes what people can read', () => {
    const text = Buffer.from(bytes).toString()
    expect(text.startsWith('{\n  "formatVersion": 1,\n  "id": "')).toBe(true)
    expect(text.endsWith('}\n')).toBe(true)
    expect(text).toContain('März ☃')
  })

  it('refuses to write what nobody could read', () => {
    expect(() => signManifest(makeManifest({ target: 'No' }), signer)).toThrow(
      expect.objectContaining({ code: 'MANIFEST_INVALID' }),
    )
  })
})

describe('canonicalJson', () => {
  it('is one text for a value, whatever the order of its keys', () => {
    const value = { b: [1, 'x', null, true], a: { d: 0.1, c: -0 }, ä: 'ü"\n', 10: 1, 9: 2 }
    expect(canonicalJson(value)).toBe(
      '{"10":1,"9":2,"a":{"c":0,"d":0.1},"b":[1,"x",null,true],"ä":"ü\\"\\n"}',
    )
    expect(canonicalJson({ 9: 2, 10: 1, ä: 'ü"\n', a: { c: 0, d: 0.1 }, b: [1, 'x', null, true] })).toBe(
      canonicalJson(value),
    )
  })

  it.each([
    ['undefined', { a: undefined }],
    ['a hole', new Array(2)],
    ['NaN', Number.NaN],
    ['infinity', { a: [Infinity] }],
    ['a bigint', 1n],
    ['a function', () => 1],
    ['a date', new Date(0)],
    ['a map', new Map()],
  ])('refuses %s', (_what, value) => {
    expect(() => canonicalJson(value)).toThrow(TypeError)
  })

  it('keeps a key called __proto__', () => {
    expect(canonicalJson(JSON.parse('{"__proto__":{"a":1}}'))).toBe('{"__proto__":{"a":1}}')
  })
})
