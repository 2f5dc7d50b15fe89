/** What the `authorization` header says, in each of its forms. */
export type Credentials =
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  | { readonly kind: 'key' }
  | { readonly kind: 'malformed' }

/** Longer ones are malformed: they are read before anyone is known. */
const MAX_HEADER = 1024
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

/** gRPC: base64 of `user:password` without a scheme. REST: `Bearer user:password`, or `Basic` and base64. */
export function parseAuthorization(header: string): Credentials {
  if (header.length > MAX_HEADER) return { kind: 'malformed' }
  const [, scheme = '', rest = ''] = /^(bearer|basic) +(.*)$/is.exec(header) ?? []
  if (scheme.toLowerCase() === 'bearer') return ofToken(rest)
  const encoded = scheme === '' ? header : rest
  const isBase64 = BASE64.test(encoded) && encoded.replace(/=+$/, '').length % 4 !== 1
  return isBase64 ? ofToken(decodeBase64(encoded)) : { kind: 'malformed' }
}

function ofToken(token: string): Credentials {
  const colon = token.indexOf(':')
  if (colon < 0) return { kind: 'key' }
  return { kind: 'password', user: token.slice(0, colon), password: token.slice(colon + 1) }
}

function decodeBase64(text: string): string {
  return new TextDecoder().decode(Uint8Array.from(atob(text.replace(/=+$/, '')), (char) => char.charCodeAt(0)))
}
