import type { GrpcCall } from '../grpc/grpc-call.ts'
import { type GrpcCode, grpcCodes } from '../grpc/status.ts'
import type { Admission } from './admission.ts'
import type { ClientFault } from './faults.ts'
import { certificateNames, namesNode } from './node-names.ts'
import type { Proxies } from './proxies.ts'
import { decodeDeltaRequest, decodeSotwRequest, type DiscoveryRequest, type NodeIdentity } from './request.ts'
import type { XdsMethod } from './services.ts'
import { Stream, type StreamGiven } from './stream.ts'
import { typeOfUrl } from './type-urls.ts'

/** What all calls of a server share. */
export interface CallGiven {
  readonly log: { info(data: object, message: string): void; warn(data: object, message: string): void }
  readonly gate: { readonly open: boolean }
  readonly proxies: Proxies
  readonly admission: Admission
  /** Whether a client's certificate must name its node. */
  readonly verifyNode: boolean
  readonly streamFor: (node: NodeIdentity, rest: Pick<StreamGiven, 'write' | 'fault' | 'cut'>) => Stream
  readonly fault: (fault: ClientFault) => void
  readonly waited: () => void
  /** It is over. */
  readonly ended: (call: Call) => void
}

/** How each fault is told in the log; a client is told in words of its own. */
const outcomes: Readonly<Record<ClientFault, string>> = {
  garbage: 'an xDS client sent something that is no request; its stream was ended',
  nameless: 'an xDS client does not say who it is; its stream was ended',
  renamed: 'an xDS stream changed its node id; the first one counts',
  'wrong-type': 'an xDS client asked in the wrong way; its stream was ended',
  'unknown-type': 'an xDS client asks for a type that is not served',
  identity: "an xDS client's certificate does not name its node; its stream was ended",
  throttled: 'too many xDS clients come at once; this one was sent away for the moment',
  'too-many-names': 'an xDS client names more resources than anybody can need; its stream was ended',
  oversized: 'an xDS response comes near the 4 MiB that gRPC clients take at most: let the client raise its limit, or name fewer resources',
  unanswered: 'an xDS client does not answer; it is sent what changes all the same',
  stuck: 'an xDS client does not read any more; its stream was ended',
}

/** Carries one call: decodes requests, ends it on what it must not bear, and frees everything when it is over (xds.md L8). */
export class Call {
  readonly #call: GrpcCall
  readonly #method: XdsMethod
  readonly #given: CallGiven
  #isOver = false
  /** Ends the wait to be let in, while there is one. */
  #waiting: AbortController | undefined
  readonly #told = new Set<ClientFault>()
  #stream: Stream | undefined
  /** What it asked while it waits to be let in. */
  #held: DiscoveryRequest[] | undefined

  constructor(call: GrpcCall, method: XdsMethod, given: CallGiven) {
    this.#call = call
    this.#method = method
    this.#given = given
    call.listen({
      message: bytes => this.#take(bytes),
      ended: () => this.finish(),
      closed: () => this.#free(),
    })
  }

  /** The gate opened. */
  open(): void {
    if (this.#held === undefined) this.#stream?.open()
  }

  /** Ends it in good order; the client comes back, here or elsewhere. */
  finish(): void {
    this.#call.end()
    this.#free()
  }

  /** Frees all that is kept for it. */
  #free(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#waiting?.abort()
    const { log, proxies, ended } = this.#given
    if (this.#stream !== undefined) {
      log.info({ node: this.#stream.node.id }, 'xDS stream ended')
      proxies.disconnected(this.#stream)
      this.#stream.end()
    }
    ended(this)
  }

  #take(bytes: Buffer): void {
    if (this.#isOver) return
    const request = this.#decode(bytes)
    if (request === undefined) return
    const { node } = request
    if (this.#stream === undefined) {
      if (!this.#admit(node)) return
    } else if (node !== undefined && node.id !== '' && node.id !== this.#stream.node.id) this.#report('renamed', { claims: node.id })
    if (this.#held === undefined) this.#serve(request)
    else this.#held.push(request)
  }

  #decode(bytes: Buffer): DiscoveryRequest | undefined {
    try {
      return this.#method.protocol === 'delta' ? decodeDeltaRequest(bytes) : decodeSotwRequest(bytes)
    } catch {
      // Nothing can be said about it but that (C19).
      this.#fail('garbage', grpcCodes.internal, 'the request is no DiscoveryRequest')
      return undefined
    }
  }

  /** Lets a client in that says who it is and may say so, in its turn (C2, L7, L10). */
  #admit(node: NodeIdentity | undefined): boolean {
    const { admission, gate, log, proxies, streamFor, verifyNode } = this.#given
    if (node === undefined || node.id === '') {
      this.#fail('nameless', grpcCodes.invalidArgument, 'the first request must carry a node with an id')
      return false
    }
    const { certificate } = this.#call
    if (verifyNode && certificate !== undefined) {
      const names = certificateNames(certificate)
      if (!namesNode(names, node)) {
        const text = `the certificate is for ${names.join(', ') || 'nobody'}, not for node "${node.id}" of cluster "${node.cluster}"`
        this.#fail('identity', grpcCodes.permissionDenied, text, { claims: node.id })
        return false
      }
    }
    // Whoever is there already comes with more streams, one per type or one per cluster (L11): that is no storm.
    const wait = proxies.isConnected(node.id) ? 0 : admission.take()
    if (wait === undefined) {
      this.#fail('throttled', grpcCodes.unavailable, 'too many clients come at once, try again later', { claims: node.id })
      return false
    }
    const call = this.#call
    this.#stream = streamFor(node, {
      write: (parts, flushed) => call.write(parts, flushed),
      fault: (fault, data) => this.#report(fault, data),
      cut: (fault, text) => this.#fail(fault, grpcCodes.resourceExhausted, text),
    })
    proxies.connected(this.#stream, call.peer)
    log.info({ node: node.id, peer: call.peer, client: node.userAgent, protocol: this.#method.protocol }, 'xDS stream opened')
    if (wait > 0) void this.#waitFor(wait)
    else if (gate.open) this.#stream.open()
    return true
  }

  /** Reads no further meanwhile; what had been read already is served afterwards, in its order. */
  async #waitFor(ms: number): Promise<void> {
    const held: DiscoveryRequest[] = []
    this.#held = held
    this.#given.waited()
    this.#call.pause()
    this.#waiting = new AbortController()
    await this.#given.admission.wait(ms, this.#waiting.signal)
    this.#waiting = undefined
    this.#held = undefined
    if (this.#isOver) return
    for (const request of held) this.#serve(request)
    if (this.#given.gate.open) this.#stream?.open()
    this.#call.resume()
  }

  #serve(request: DiscoveryRequest): void {
    const { type: service } = this.#method
    const { typeUrl } = request
    const type = typeUrl === '' ? service : typeOfUrl(typeUrl)
    if (typeUrl === '' && service === undefined) this.#fail('wrong-type', grpcCodes.invalidArgument, 'an ADS request must carry a type_url')
    else if (service !== undefined && type !== service)
      this.#fail('wrong-type', grpcCodes.invalidArgument, `this service does not serve ${typeUrl}`)
    else if (type === undefined) this.#stream?.requestUnknown(request)
    else this.#stream?.request(type, request)
  }

  #fail(fault: ClientFault, code: GrpcCode, details: string, data: object = {}): void {
    if (this.#isOver) return
    this.#report(fault, { details, ...data })
    if (fault === 'stuck') this.#call.abort()
    else this.#call.end({ code, message: details })
    this.#free()
  }

  /** Counts, and logs the first of each kind. */
  #report(fault: ClientFault, data: object): void {
    const { fault: count, log } = this.#given
    count(fault)
    if (this.#told.has(fault)) return
    this.#told.add(fault)
    log.warn({ fault, node: this.#stream?.node.id, peer: this.#call.peer, ...data }, outcomes[fault])
  }
}
