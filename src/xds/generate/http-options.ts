import type { IrHeaderCase, IrHttpOptions } from '../../ir/http-options.ts'
import { any, duration, type PlainMessage } from '../codec.ts'

/** The fields of an HttpConnectionManager that the Module decides about (emissary-resources.md 6). */
export function managerOptions(options: IrHttpOptions): PlainMessage {
  const { serverName, maxRequestHeadersKb, clientCertificate, headerCase } = options
  const http1 = {
    ...(options.http10 === true ? { acceptHttp_10: true } : {}),
    ...(options.chunkedLength === true ? { allowChunkedLength: true } : {}),
    ...(headerCase === undefined ? {} : { headerKeyFormat: headerKeyFormat(headerCase) }),
  }
  const common = {
    ...(options.idleTimeoutMs === undefined ? {} : { idleTimeout: duration(options.idleTimeoutMs) }),
    ...(options.underscores === undefined ? {} : { headersWithUnderscoresAction: options.underscores }),
  }
  return {
    // The client's address is that of the connection, or is taken from X-Forwarded-For behind that many trusted hops (experience.md 2.5).
    useRemoteAddress: { value: options.useRemoteAddress ?? true },
    ...(serverName === undefined ? {} : { serverName }),
    ...(maxRequestHeadersKb === undefined ? {} : { maxRequestHeadersKb: { value: maxRequestHeadersKb } }),
    ...(options.mergeSlashes === true ? { mergeSlashes: true } : {}),
    ...(options.rejectEscapedSlashes === true ? { pathWithEscapedSlashesAction: 'REJECT_REQUEST' } : {}),
    ...(options.stripPort === true ? { stripMatchingHostPort: true } : {}),
    ...(options.preserveRequestId === true ? { preserveExternalRequestId: true } : {}),
    ...(options.continueByUpstream === true ? { proxy_100Continue: true } : {}),
    ...(Object.keys(http1).length === 0 ? {} : { httpProtocolOptions: http1 }),
    ...(Object.keys(common).length === 0 ? {} : { commonHttpProtocolOptions: common }),
    ...(clientCertificate === undefined
      ? {}
      : {
          forwardClientCertDetails: clientCertificate.forward,
          setCurrentClientCertDetails: Object.fromEntries(
            clientCertificate.tell.map((part): [string, unknown] => [part, part === 'subject' ? { value: true } : true]),
          ),
        }),
  }
}

const preserveCase = 'envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig'

/** How HTTP/1 writes the names of headers. */
export function headerKeyFormat(headerCase: IrHeaderCase): PlainMessage {
  if (headerCase === 'proper') return { properCaseWords: {} }
  return { statefulFormatter: { name: 'preserve_case', typedConfig: any(preserveCase, {}) } }
}
