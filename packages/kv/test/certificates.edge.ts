import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** A certificate for both sides of a loopback connection and the authority that signed it, made by openssl. */
export function makeCertificate(folder: string, commonName = 'root'): CertificateFiles {
  const at = (name: string): string => join(folder, `${commonName}-${name}.pem`)
  const [ca, caKey, cert, key, request, extensions] = [at('ca'), at('ca-key'), at('cert'), at('key'), at('request'), at('extensions')] as const
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'pipe' })
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl('req', '-x509', ...curve, '-keyout', caKey, '-out', ca, '-days', '2', '-subj', '/CN=test authority')
  openssl('req', ...curve, '-keyout', key, '-out', request, '-subj', `/CN=${commonName}`)
  writeFileSync(extensions, 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n')
  openssl('x509', '-req', '-in', request, '-CA', ca, '-CAkey', caKey, '-CAcreateserial', '-out', cert, '-days', '2', '-extfile', extensions)
  return { ca, cert, key }
}

/** The texts of the files. */
export function readCertificate({ ca, cert, key }: CertificateFiles): { ca: Buffer; cert: Buffer; key: Buffer } {
  return { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) }
}
