#!/usr/bin/env node
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'

const args = process.argv.slice(2)

/**
 * The gateway begins once more with what only the environment of a start can bring; whoever sets one of these, has it so (docs/performance.md,
 * Memory). Modules are kept without their types, compiled: what takes types off stays in memory, 20 MB in each of the two threads. And the C
 * library keeps two heaps, not one per thread, and gives large pieces back at once, not when what came after them is freed, too.
 */
function beginAgain(): void {
  const { env } = process
  const wanted = {
    NODE_COMPILE_CACHE: join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'isthmus', 'modules'),
    MALLOC_ARENA_MAX: '2',
    MALLOC_MMAP_THRESHOLD_: '65536',
    MALLOC_TRIM_THRESHOLD_: '131072',
  }
  const hasAll = Object.keys(wanted).every(name => env[name] !== undefined)
  if (hasAll || process.execve === undefined || env['NODE_CHANNEL_FD'] !== undefined) return
  process.execve(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)], { ...wanted, ...env })
}

if (args.includes('serve')) beginAgain()
// Before any other module loads, for V8 keeps what it once took: the young generation would grow to 32 MB by loading alone.
setFlagsFromString('--semi-space-growth-factor=1')
// V8 would mark a heap of 130 MB anew for every 9 MB that became old in it, which took most of the processor time of a steady change.
setFlagsFromString('--heap-growing-percent=30')
const { run } = await import('./cli/program.ts')

process.exitCode = await run(args)
