/** What the registries say about an instance itself. One of three axes that are never mixed (reference/discovery.md 1.1). */
export type Health = 'healthy' | 'degraded' | 'draining' | 'unhealthy' | 'unknown'

/** Whether the registry still vouches that the instance exists. The age of that knowledge (freshness) belongs to the source. */
export type Presence = 'live' | 'suspect' | 'expired'

export const healths = ['healthy', 'degraded', 'draining', 'unhealthy', 'unknown'] as const satisfies readonly Health[]
