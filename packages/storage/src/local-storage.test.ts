import { pathToFileURL } from 'node:url'
import { describeStorageContract, makeTemporaryDirectory } from '@holdfast/testing'
import { openStorage } from './index.ts'

let directory: Awaited<ReturnType<typeof makeTemporaryDirectory>> | null = null

describeStorageContract('local', {
  async open() {
    directory ??= await makeTemporaryDirectory('storage')
    return openStorage(pathToFileURL(`${directory.path}/root`).href, { name: 'default', create: true })
  },
  async cleanUp() {
    await directory?.remove()
    directory = null
  },
})
