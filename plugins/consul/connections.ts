/** How many connections go to what. */
export interface Connections {
  /** Services with a blocking query of their own. */
  readonly followed: number
  /** Reads at a time of the services that are polled. */
  readonly polls: number
}

/** Shares the connections to the agent: one is the catalog's; polling gets some only if not every service can have its own. Pure. */
export function shareConnections(max: number, services: number): Connections {
  const left = Math.max(1, max - 1)
  if (services <= left) return { followed: left, polls: 0 }
  const polls = Math.max(1, Math.min(4, Math.floor(left / 2)))
  return { followed: left - polls, polls }
}
