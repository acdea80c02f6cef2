/** What each kind of override does, in the words of the help. */
export const overrideSummaries = {
  drain: 'send an endpoint no new requests',
  exclude: 'take an endpoint out, whatever its sources say',
  weight: 'give an endpoint another weight',
  pin: 'take an endpoint for healthy while a source names it',
} as const
