/** Addresses of stores, from parameters to what drivers take. */
import type { GlobalParamsTable } from '@timetick/paramtable'
import { StoresError } from './stores-error.ts'

const HOST_PORT = /^(\[[0-9A-Fa-f:.]+\]|[^\s:/@?#[\]]+):(\d{1,5})$/

/** `host:port` as it is, or a complaint that names the parameter. */
export function checkAddress(key: string, address: string): string {
  const port = Number(HOST_PORT.exec(address)?.[2])
  if (!(port >= 1 && port <= 65_535)) throw new StoresError('STORES_INVALID', `expected ${key} to be host:port, got ${JSON.stringify(address)}`)
  return address
}

/** `host:port`, or a URL without user, path and query: as a URL. */
export function addressUrl(key: string, address: string, isSecure: boolean): string {
  const url = /^https?:\/\/([^/]+)\/?$/.exec(address)
  if (url?.[1] !== undefined) {
    checkAddress(key, HOST_PORT.test(url[1]) ? url[1] : `${url[1]}:1`)
    return address.replace(/\/$/, '')
  }
  return `${isSecure ? 'https' : 'http'}://${checkAddress(key, address)}`
}

/** With its password: for the driver only. */
export function redisUrl(parameters: GlobalParamsTable): string {
  const address = checkAddress('redis.address', parameters.getString('redis.address'))
  const password = parameters.getString('redis.password')
  const username = parameters.getString('redis.username')
  const user = password === '' && username === '' ? '' : `${encodeURIComponent(username)}:${encodeURIComponent(password)}@`
  return `${parameters.getBool('redis.useSSL') ? 'rediss' : 'redis'}://${user}${address}/${parameters.getInt('redis.db')}`
}
