#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8'

// Before any other module loads, for V8 keeps what it once took: the young generation would grow to 32 MB by loading alone.
setFlagsFromString('--semi-space-growth-factor=1')
// V8 would mark a heap of 130 MB anew for every 9 MB that became old in it, which took most of the processor time of a steady change.
setFlagsFromString('--heap-growing-percent=30')
const { run } = await import('./cli/program.ts')

process.exitCode = await run(process.argv.slice(2))
