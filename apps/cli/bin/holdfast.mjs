#!/usr/bin/env node
// `holdfast` from anywhere, with the caller's directory: link this file into a directory on PATH.
process.argv.splice(2, 0, 'apps/cli/src/main.ts')
await import('../../../scripts/run.mjs')
