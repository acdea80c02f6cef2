/** Calls of the Kubernetes API as the writer of status needs them; the credentials are the caller's business. */
export interface KubeApi {
  /**
   * Gives the answer whatever its status; throws only when there is none (no connection, no time).
   * @param path such as `/apis/coordination.k8s.io/v1/namespaces/isthmus/leases/status`
   * @param contentType of the body; `application/json` if absent
   */
  call(method: 'GET' | 'POST' | 'PUT' | 'PATCH', path: string, request: KubeRequest): Promise<KubeAnswer>
}

export interface KubeRequest {
  readonly body?: unknown
  readonly contentType?: string
  readonly signal: AbortSignal
}

export interface KubeAnswer {
  readonly status: number
  readonly body: unknown
}
