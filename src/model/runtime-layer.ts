/** The layer of Envoy's runtime that the control plane gives: what the bootstrap asks for, and the name of the resource. */
export const runtimeLayer = 'isthmus'
