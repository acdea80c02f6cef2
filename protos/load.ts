import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import protobuf from 'protobufjs'

/**
 * Reads .proto files out of those that @grpc/grpc-js-xds ships (Envoy's whole API), with all that they import. For development: at run time
 * we read protos/descriptors.json. Throws for a file that is not there.
 * @param files such as `envoy/config/cluster/v3/cluster.proto`
 */
export function loadProtos(files: readonly string[]): protobuf.Root {
  const require = createRequire(import.meta.url)
  const deps = join(dirname(require.resolve('@grpc/grpc-js-xds/package.json')), 'deps')
  const folders = ['envoy-api', 'xds', 'googleapis', 'protoc-gen-validate'].map(name => join(deps, name))
  folders.push(dirname(require.resolve('protobufjs/package.json')))
  const root = new protobuf.Root()
  root.resolvePath = (_origin, target) => {
    const found = folders.map(folder => join(folder, target)).find(path => existsSync(path))
    if (found === undefined) throw new Error(`no such .proto: ${target}`)
    return found
  }
  root.loadSync([...files], { keepCase: false })
  return root
}
