#!/usr/bin/env node
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'

const args = process.argv.slice(2)

/**
 * The gateway begins once more with what only a start can bring: where Node keeps modules without their types, compiled. What takes types
 * off would stay in memory, 20 MB in each of the two threads. Whoever says NODE_COMPILE_CACHE has seen to it (docs/performance.md, Memory).
 */
function beginAgain(): void {
  const { env } = process
  if (process.execve === undefined || env['NODE_COMPILE_CACHE'] !== undefined || env['NODE_CHANNEL_FD'] !== undefined) return
  const caches = env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  process.execve(process.execPath, command, { ...env, NODE_COMPILE_CACHE: join(caches, 'isthmus', 'modules') })
}

if (args.includes('serve')) beginAgain()
// Before any other module loads, for V8 keeps what it once took: the young generation would grow to 32 MB by loading alone.
setFlagsFromString('--semi-space-growth-factor=1')
// V8 would mark a heap of 130 MB anew for every 9 MB that became old in it, which took most of the processor time of a steady change.
setFlagsFromString('--heap-growing-percent=30')
const { run } = await import('./cli/program.ts')

process.exitCode = await run(args)
