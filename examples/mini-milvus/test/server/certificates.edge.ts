/** Certificates made by openssl for one test. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Paths of PEM files. */
export interface Certificates {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** A certificate of an authority of its own, for both sides of a loopback connection. */
export function makeCertificates(folder: string, name: string): Certificates {
  const at = (kind: string): string => join(folder, `${name}-${kind}.pem`)
  const [ca, caKey, cert, key, request, extensions] = [at('ca'), at('ca-key'), at('cert'), at('key'), at('request'), at('extensions')]
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'pipe' })
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl('req', '-x509', ...fresh, '-keyout', caKey, '-out', ca, '-days', '2', '-subj', `/CN=authority of ${name}`)
  openssl('req', ...fresh, '-keyout', key, '-out', request, '-subj', `/CN=${name}`)
  writeFileSync(extensions, 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n')
  openssl('x509', '-req', '-in', request, '-CA', ca, '-CAkey', caKey, '-CAcreateserial', '-out', cert, '-days', '2', '-extfile', extensions)
  return { ca, cert, key }
}
