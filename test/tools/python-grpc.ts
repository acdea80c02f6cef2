import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cachedTool, command } from './cache.ts'
import { downloadWheel } from './wheel.ts'

const version = '1.76.0'
/** Of what grpcio imports. */
const typingExtensions = '4.15.0'

/** The path of a Python that has gRPC's C core (package grpcio), downloaded from PyPI once and cached. Throws with what to install if that fails. */
export async function pythonWithGrpc(): Promise<string> {
  return cachedTool({ name: 'python-grpc', version, work: 'downloading (first use, a few seconds)', file: 'python', build })
}

async function build(folder: string): Promise<void> {
  await downloadWheel('grpcio', version, join(folder, 'packages'))
  await downloadWheel('typing_extensions', typingExtensions, join(folder, 'packages'))
  const launcher = join(folder, 'python')
  await writeFile(launcher, '#!/bin/sh\nPYTHONPATH="$(dirname "$0")/packages" exec python3 "$@"\n')
  await chmod(launcher, 0o755)
  await command(launcher, ['-c', 'import grpc'])
}
