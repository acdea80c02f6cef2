import type { SeenBody } from '../admin/ledger-schemas.ts'

/** `10.0.0.1:80`. */
export function seenAddress({ address, port }: Pick<SeenBody, 'address' | 'port'>): string {
  return `${address.includes(':') ? `[${address}]` : address}:${String(port)}`
}

/** What became of endpoints, one line each: `+ 10.0.0.1:80 healthy`, `- …`, `~ 10.0.0.1:80 healthy → draining`. */
export function changeLines(before: readonly SeenBody[], after: readonly SeenBody[]): readonly string[] {
  const now = new Map(after.map(one => [`${seenAddress(one)} ${one.protocol}`, one]))
  const lines = before.map(old => {
    const key = `${seenAddress(old)} ${old.protocol}`
    const one = now.get(key)
    now.delete(key)
    return one === undefined ? `- ${seenAddress(old)}` : `~ ${seenAddress(old)} ${differences(old, one)}`
  })
  return [...lines, ...[...now.values()].map(one => `+ ${seenAddress(one)} ${one.health}`)]
}

function differences(old: SeenBody, one: SeenBody): string {
  const parts = [
    ...(old.health === one.health ? [] : [`${old.health} → ${one.health}`]),
    ...(old.presence === one.presence ? [] : [`${old.presence} → ${one.presence}`]),
    ...(old.weight === one.weight ? [] : [`weight ${String(old.weight)} → ${String(one.weight)}`]),
    ...(old.served === one.served || old.health !== one.health ? [] : [one.served ? 'served' : 'not served']),
    ...(old.sources.join() === one.sources.join() ? [] : [`sources ${old.sources.join(', ')} → ${one.sources.join(', ')}`]),
  ]
  return parts.length > 0 ? parts.join(', ') : (one.reasons.at(-1)?.text ?? 'details')
}
