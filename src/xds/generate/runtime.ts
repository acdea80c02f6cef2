import type { IrHttpOptions } from '../../ir/http-options.ts'
import { runtimeLayer } from '../../model/runtime-layer.ts'
import { encodeMessage } from '../codec.ts'
import { makeResource, type Resource } from '../resource.ts'

/** The layer of Envoy's runtime that our bootstrap asks for. It always exists, if need be empty, so that an Envoy need not wait for it. */
export function generateRuntime({ runtime = {} }: IrHttpOptions): Resource {
  const fields = Object.fromEntries(Object.entries(runtime).map(([key, numberValue]) => [key, { numberValue }]))
  return makeResource('runtime', runtimeLayer, encodeMessage('envoy.service.runtime.v3.Runtime', { name: runtimeLayer, layer: { fields } }))
}
