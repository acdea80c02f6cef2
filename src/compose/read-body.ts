import { closeSync, openSync, readSync } from 'node:fs'
import type { CompileInput } from '../compile/emissary/input.ts'
import { checkFormat, logCommands } from '../manifests/check-format.ts'
import { errorText } from '../model/errors.ts'

/** What is larger has no place in every route. */
const mostBytes = 64 * 1024

/** Reads the body of an error answer from a file beside the gateway; compile asks for it each time. */
export const readBody: NonNullable<CompileInput['readFile']> = path => {
  let text: string
  try {
    const file = openSync(path, 'r')
    try {
      const buffer = Buffer.alloc(mostBytes + 1)
      const length = readSync(file, buffer)
      if (length > mostBytes) return { problem: `is larger than ${mostBytes} bytes` }
      text = buffer.toString('utf8', 0, length)
    } finally {
      closeSync(file)
    }
  } catch (error) {
    return { problem: `cannot be read by the gateway: ${errorText(error)}` }
  }
  const [wrong] = checkFormat([], text, logCommands)
  return wrong === undefined ? { text } : { problem: wrong.text }
}
