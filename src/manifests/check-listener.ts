import { checkSelector } from './check-values.ts'
import type { Finding, KindFindings } from './checked-object.ts'
import type { ListenerSpec } from './schema/listener.ts'

type Element = NonNullable<ListenerSpec['protocolStack']>[number]

const stacks: Readonly<Record<NonNullable<ListenerSpec['protocol']>, readonly Element[]>> = {
  HTTP: ['HTTP', 'TCP'],
  HTTPS: ['TLS', 'HTTP', 'TCP'],
  HTTPPROXY: ['PROXY', 'HTTP', 'TCP'],
  HTTPSPROXY: ['PROXY', 'TLS', 'HTTP', 'TCP'],
  TCP: ['TCP'],
  TLS: ['TLS', 'TCP'],
}

/** The rules of a Listener that concern it alone (emissary-resources.md 4). */
export function checkListener(spec: ListenerSpec): KindFindings {
  const stack = protocolStack(spec)
  const problems: Finding[] = [
    ...checkProtocol(spec, stack),
    ...checkBinding(spec),
    ...checkSelector(['spec', 'hostBinding', 'selector'], spec.hostBinding.selector),
  ]
  return { problems, notices: [] }
}

/** The protocols of a Listener, outermost last. Empty when the object is wrong. */
export function protocolStack(spec: ListenerSpec): readonly Element[] {
  return spec.protocolStack ?? (spec.protocol === undefined ? [] : stacks[spec.protocol])
}

function checkProtocol(spec: ListenerSpec, stack: readonly Element[]): readonly Finding[] {
  if (spec.protocol !== undefined && spec.protocolStack !== undefined)
    return [{ path: ['spec', 'protocolStack'], text: 'give protocol or protocolStack, not both' }]
  if (spec.protocol === undefined && spec.protocolStack === undefined)
    return [{ path: ['spec', 'protocol'], text: 'is required, e.g. HTTP (or give protocolStack)' }]
  const transport = stack.at(-1)
  const path = ['spec', 'protocolStack']
  if (transport !== 'TCP' && transport !== 'UDP') return [{ path, text: 'must end with TCP or UDP' }]
  if (transport === 'UDP' && !stack.includes('HTTP')) return [{ path, text: 'UDP needs HTTP (HTTP/3) before it' }]
  if (transport === 'UDP' && stack.includes('PROXY')) return [{ path, text: 'PROXY comes by TCP only: leave it out, or write TCP' }]
  if (new Set(stack).size < stack.length || (stack.includes('TCP') && stack.includes('UDP')))
    return [{ path, text: `names an element twice or two transports: ${stack.join(', ')}` }]
  return []
}

function checkBinding(spec: ListenerSpec): readonly Finding[] {
  const { namespace, selector } = spec.hostBinding
  if (namespace === undefined && selector === undefined)
    return [{ path: ['spec', 'hostBinding'], text: 'needs namespace or selector, e.g. {namespace: {from: ALL}}' }]
  if (namespace?.from === 'SELECTOR')
    return [
      { path: ['spec', 'hostBinding', 'namespace', 'from'], text: 'SELECTOR has no selector of namespaces to go with it; use SELF or ALL' },
    ]
  return []
}
