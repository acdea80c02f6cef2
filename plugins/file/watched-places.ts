import { readlink } from 'node:fs/promises'
import { dirname, join, parse, resolve, sep } from 'node:path'

/** More links than this on the way to a file are a loop. */
const mostLinks = 40

/**
 * The folders in which a change can put another file at a path, with the names that matter in each: the file itself, and every symbolic
 * link on the way to it (a deployment tool swaps such links). Parts that do not exist are passed over.
 */
export async function watchedPlaces(path: string): Promise<Map<string, Set<string>>> {
  const places = new Map<string, Set<string>>()
  const add = (folder: string, name: string): void => {
    const names = places.get(folder)
    if (names === undefined) places.set(folder, new Set([name]))
    else names.add(name)
  }
  let { root: current, rest } = partsOf(resolve(path))
  for (let links = 0; ; ) {
    const [name, ...following] = rest
    if (name === undefined) return places
    const here = join(current, name)
    const target = await linkTarget(here)
    if (target !== undefined && ++links <= mostLinks) {
      add(current, name)
      const parts = partsOf(resolve(current, target))
      current = parts.root
      rest = [...parts.rest, ...following]
      continue
    }
    if (following.length === 0) add(dirname(here), name)
    current = here
    rest = following
  }
}

function partsOf(path: string): { root: string; rest: string[] } {
  const { root } = parse(path)
  return {
    root,
    rest: path
      .slice(root.length)
      .split(sep)
      .filter(part => part !== ''),
  }
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return await readlink(path)
  } catch {
    // No link, or nothing there at all.
    return undefined
  }
}
