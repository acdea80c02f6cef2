import type { SourceGuards } from '../model/pool-rule.ts'

/** The effective settings of one gateway: isthmus.yaml with environment and flags applied, checked, defaults filled in (interface.md). */
export interface Settings {
  readonly id: string
  readonly ambassadorId: readonly string[]
  /** `path` is a folder, or `:memory:` to keep nothing. */
  readonly state: { readonly path: string }
  /** Bounds of the history of endpoints. */
  readonly ledger: { readonly days: number; readonly megabytes: number }
  readonly xds: {
    readonly listen: ListenAddress
    readonly tls?: TlsFiles
    /** With client certificates: each must name its node or cluster; absent: yes. */
    readonly verifyNode?: boolean
    /** New clients let in per second; absent: 200. */
    readonly clientsPerSecond?: number
    /** Connections end at about this age; absent: never. */
    readonly connectionAgeSeconds?: number
  }
  readonly admin: { readonly listen: ListenAddress; readonly tls?: TlsFiles; readonly tokens: readonly AdminToken[] }
  readonly agents: { readonly listen: ListenAddress; readonly tls?: TlsFiles }
  readonly envoy: {
    readonly mode: 'none' | 'supervise'
    readonly path: string
    readonly adminPort: number
    readonly drainSeconds: number
    readonly quietSeconds: number
    readonly ready?: ListenAddress
    readonly zone?: string
    readonly region?: string
  }
  readonly defaults: { readonly addresses: AddressRules }
  readonly manifests: readonly ManifestSettings[]
  readonly sources: readonly SourceSettings[]
  /** Names or types of sources, most trusted first; those that it leaves out follow in the usual order. */
  readonly trust?: readonly string[]
  /** Seconds to wait for the first sync of the sources before answering with what is known. */
  readonly startup: {
    readonly gateSeconds: number
    /** The same where what is missing is known from before the start (discovery.md 5.7). */
    readonly knownSeconds: number
  }
  readonly log: { readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' }
}

/** `port` may be 0: any free port (tests). */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

export interface TlsFiles {
  readonly certFile: string
  readonly keyFile: string
  readonly clientCaFile?: string
}

export interface AdminToken {
  readonly name: string
  readonly role: 'read' | 'operate' | 'admin'
  readonly file: string
}

/** CIDR lists: `allow` lets special ranges in (loopback, link-local), `only` restricts all others; empty = no restriction. */
export interface AddressRules {
  readonly allow: readonly string[]
  readonly only: readonly string[]
}

/** Relative paths in settings count from the folder of the settings file and are absolute here. */
export type ManifestSettings = DirectoryManifests | KubernetesManifests

export interface DirectoryManifests {
  readonly type: 'directory'
  readonly path: string
}

export interface KubernetesManifests {
  readonly type: 'kubernetes'
  /** Name of a source of type kubernetes. */
  readonly source: string
  /** Statuses are written back. */
  readonly status: boolean
  readonly publish: { readonly service?: string; readonly addresses?: readonly string[] }
}

export interface SourceSettings {
  readonly name: string
  readonly type: string
  readonly namespace: string
  readonly addresses: AddressRules
  readonly guards?: SourceGuards
  /** The plugin's own keys, checked against its schema. */
  readonly own: Readonly<Record<string, unknown>>
}
