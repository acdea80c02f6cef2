export type TlsVersion = 'v1.0' | 'v1.1' | 'v1.2' | 'v1.3'
