import type { Register } from './command.ts'
import { overrideSummaries } from './override-words.ts'

/** A command by name; its file is loaded only when it runs, so that each starts fast. */
export interface CommandEntry {
  readonly name: string
  readonly summary: string
  load(): Promise<Register>
}

/** Every command, in the order of the help. */
export const commands: readonly CommandEntry[] = [
  { name: 'serve', summary: 'run the gateway', load: async () => (await import('./serve.ts')).register },
  {
    name: 'demo',
    summary: 'try it: Consul, VMs, a gateway and its Envoy in one command',
    load: async () => (await import('./demo.ts')).registerDemo,
  },
  { name: 'bootstrap', summary: 'print the bootstrap of an Envoy', load: async () => (await import('./bootstrap.ts')).register },
  { name: 'validate', summary: 'check manifests, offline', load: async () => (await import('./validate.ts')).register },
  {
    name: 'translate',
    summary: 'print what Envoy would get for manifests, offline',
    load: async () => (await import('./translate.ts')).register,
  },
  { name: 'status', summary: 'the gateway in short', load: async () => (await import('./status.ts')).register },
  { name: 'sources', summary: 'sources of endpoints and their state', load: async () => (await import('./sources.ts')).register },
  { name: 'services', summary: 'services and what they have', load: async () => (await import('./services.ts')).register },
  { name: 'endpoints', summary: 'endpoints of a service, or of all', load: async () => (await import('./endpoints.ts')).register },
  { name: 'why', summary: 'why an address gets requests, or does not', load: async () => (await import('./why.ts')).register },
  {
    name: 'proxies',
    summary: 'Envoys: what each was sent and has acknowledged',
    load: async () => (await import('./proxies.ts')).register,
  },
  {
    name: 'objects',
    summary: 'objects of the configuration: accepted, refused, ignored',
    load: async () => (await import('./objects.ts')).register,
  },
  { name: 'routes', summary: 'effective routes in the order they are matched', load: async () => (await import('./routes.ts')).register },
  { name: 'agents', summary: 'leases of VM agents', load: async () => (await import('./agents.ts')).register },
  {
    name: 'conflicts',
    summary: 'what the registries do not agree on',
    load: async () => (await import('./conflicts.ts')).register,
  },
  {
    name: 'overrides',
    summary: 'what operators decided about endpoints',
    load: async () => (await import('./overrides.ts')).register,
  },
  ...(['drain', 'exclude', 'weight', 'pin'] as const).map(action => ({
    name: action,
    summary: overrideSummaries[action],
    load: async () => (await import('./override.ts')).registerOf(action),
  })),
  {
    name: 'history',
    summary: 'what became of the endpoints of a service, why, by whom',
    load: async () => (await import('./history.ts')).register,
  },
  { name: 'events', summary: 'what happens, as it happens', load: async () => (await import('./events.ts')).register },
  {
    name: 'what-if',
    summary: 'what would be served, before it happens',
    load: async () => (await import('./what-if.ts')).register,
  },
  {
    name: 'doctor',
    summary: 'check a running gateway, with a fix for each finding',
    load: async () => (await import('./doctor.ts')).register,
  },
  {
    name: 'support-dump',
    summary: 'all that a gateway tells about itself, in one file',
    load: async () => (await import('./support-dump.ts')).register,
  },
  { name: 'unset', summary: 'take an override back', load: async () => (await import('./unset.ts')).register },
  {
    name: 'schema',
    summary: 'JSON Schema of the settings or of a kind, for editors',
    load: async () => (await import('./schema.ts')).register,
  },
  { name: 'completion', summary: 'completion script for a shell', load: async () => (await import('./completion.ts')).register },
  { name: 'version', summary: 'print the version', load: async () => (await import('./version.ts')).register },
]
