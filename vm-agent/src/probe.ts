import { request } from 'node:http'
import { connect } from 'node:net'
import type { Check } from './options.ts'

/** Where and how to probe. */
export interface Target {
  readonly address: string
  readonly port: number
  readonly check: Check
}

/** Undefined when the probe passed, else why it failed. Never throws. A TCP probe passes once connected, an HTTP one on status 200 to 399. */
export function probe({ address, port, check }: Target, timeoutMs: number, signal: AbortSignal): Promise<string | undefined> {
  switch (check.kind) {
    case 'none':
      return Promise.resolve(undefined)
    case 'tcp':
      return probeTcp(address, port, timeoutMs, signal)
    case 'http':
      return probeHttp(address, port, check.path, timeoutMs, signal)
  }
}

function probeTcp(host: string, port: number, timeoutMs: number, signal: AbortSignal): Promise<string | undefined> {
  return new Promise(resolve => {
    const socket = connect({ host, port, signal })
    const end = (result: string | undefined): void => {
      socket.destroy()
      resolve(result)
    }
    socket.setTimeout(timeoutMs, () => end(`no connection within ${timeoutMs} ms`))
    socket.on('connect', () => end(undefined))
    socket.on('error', error => end(error.message))
  })
}

function probeHttp(host: string, port: number, path: string, timeoutMs: number, signal: AbortSignal): Promise<string | undefined> {
  return new Promise(resolve => {
    const call = request({ host, port, path, signal, agent: false, headers: { 'user-agent': 'isthmus-agent' } })
    // Over all of it: a service that sends a byte now and then must not hang the probe.
    const timer = setTimeout(() => call.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
    const end = (result: string | undefined): void => {
      clearTimeout(timer)
      resolve(result)
    }
    call.on('response', response => {
      const status = response.statusCode ?? 0
      response.destroy()
      end(status >= 200 && status < 400 ? undefined : `HTTP status ${status}`)
    })
    call.on('error', error => end(error.message))
    call.end()
  })
}
