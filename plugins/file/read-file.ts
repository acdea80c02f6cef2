import { closeSync, fstatSync, openSync, readSync, type BigIntStats } from 'node:fs'
import { open, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'

/** What tells two states of a file apart. */
export interface FileIdentity {
  readonly file: string
  readonly state: string
}

/** A file's content in `buffer`, from its start to `size`. */
export interface FileReading {
  readonly identity: FileIdentity
  readonly buffer: Buffer
  readonly size: number
  /** The file changed while it was read: the content may be torn. */
  readonly torn: boolean
}

/** Up to this size a local file is read on the main thread: a copy of memory, which takes less time than to hand it to another thread. */
const promptSize = 8 * 1024 * 1024

/** File systems of this machine, by the numbers of statfs(2): ext, XFS, Btrfs, tmpfs, overlay, ZFS, F2FS. */
const localTypes: ReadonlySet<number> = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0x2fc12fc1, 0xf2f52010])

/** Whether reading there cannot hang, as on a network file system whose server is away. False when it cannot be told. */
export async function isLocal(path: string): Promise<boolean> {
  try {
    return localTypes.has((await statfs(dirname(path))).type)
  } catch {
    // The folder is not there: reading the file tells so.
    return false
  }
}

/** The identity of what a path leads to now. Throws as `open` does. */
export async function identify(path: string): Promise<FileIdentity> {
  const handle = await open(path)
  try {
    return identityOf(await handle.stat({ bigint: true }))
  } finally {
    await handle.close()
  }
}

/**
 * Reads a file in one go. Throws as `open` does.
 * @param spare a buffer to use if the file fits: pages that are mapped already cost nothing
 * @param local what `isLocal` said
 */
export async function readFileInto(path: string, spare: Buffer, local: boolean): Promise<FileReading> {
  return (local ? readPromptly(path, spare) : undefined) ?? (await readAside(path, spare))
}

/** On the main thread; undefined when the file is too large for that. */
function readPromptly(path: string, spare: Buffer): FileReading | undefined {
  const file = openSync(path, 'r')
  try {
    const before = fstatSync(file, { bigint: true })
    if (before.size > promptSize) return undefined
    const buffer = fitting(spare, Number(before.size))
    let size = 0
    for (let read = -1; read !== 0 && size < before.size; size += read) read = readSync(file, buffer, size, buffer.length - size, size)
    return reading(buffer, size, before, fstatSync(file, { bigint: true }))
  } finally {
    closeSync(file)
  }
}

/** Off the main thread. */
async function readAside(path: string, spare: Buffer): Promise<FileReading> {
  const file = await open(path)
  try {
    const before = await file.stat({ bigint: true })
    const buffer = fitting(spare, Number(before.size))
    let size = 0
    for (let read = -1; read !== 0 && size < before.size; size += read) {
      read = (await file.read(buffer, size, buffer.length - size, size)).bytesRead
    }
    return reading(buffer, size, before, await file.stat({ bigint: true }))
  } finally {
    await file.close()
  }
}

function fitting(spare: Buffer, size: number): Buffer {
  return spare.length > size ? spare : Buffer.allocUnsafeSlow(size + (size >> 3) + 4096)
}

function reading(buffer: Buffer, size: number, before: BigIntStats, after: BigIntStats): FileReading {
  const identity = identityOf(after)
  return { identity, buffer, size, torn: identity.state !== identityOf(before).state || BigInt(size) !== after.size }
}

function identityOf({ dev, ino, size, mtimeNs }: BigIntStats): FileIdentity {
  return { file: `${dev}:${ino}`, state: `${size}:${mtimeNs}` }
}
