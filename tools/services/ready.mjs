/** Questions to a starting server: each gives true or false, never throws, and is asked again. */
import { readFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import tls from 'node:tls'

/** The first source that works; else an error that says why each did not. */
export async function firstOf(...sources) {
  const reasons = []
  for (const source of sources) {
    try {
      return await source()
    } catch (error) {
      reasons.push(error.message)
    }
  }
  throw new Error(reasons.join('; '))
}

export function httpOk(url, accept, { anyStatus = false, timeoutMs = 2000 } = {}) {
  return new Promise((resolve) => {
    const request = http.get(url, { timeout: timeoutMs, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk) => (text += chunk))
      response.on('error', () => resolve(false))
      response.on('end', () => {
        try {
          resolve((anyStatus || response.statusCode === 200) && accept(text))
        } catch {
          resolve(false)
        }
      })
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve(false))
    request.on('close', () => resolve(false))
  })
}

/** Connects, sends `hello` if there is one, and asks `accept` about everything received so far. */
export function tcpReply(port, hello, accept, { timeoutMs = 2000 } = {}) {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' })
    let received = Buffer.alloc(0)
    const end = (value) => {
      socket.destroy()
      resolve(value)
    }
    socket.setTimeout(timeoutMs, () => end(false))
    socket.on('error', () => end(false))
    socket.on('close', () => end(false))
    socket.on('connect', () => hello !== undefined && socket.write(hello))
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      try {
        if (accept(received)) end(true)
      } catch {}
    })
  })
}

/** Whether a handshake with these files (`{ cert, key, ca }`) succeeds. */
export function tlsAnswers(port, files, { timeoutMs = 2000 } = {}) {
  return new Promise((resolve) => {
    const [cert, key, ca] = [files.cert, files.key, files.ca].map((file) => readFileSync(file))
    const socket = tls.connect({ port, host: '127.0.0.1', servername: 'localhost', cert, key, ca })
    const end = (value) => {
      socket.destroy()
      resolve(value)
    }
    socket.setTimeout(timeoutMs, () => end(false))
    socket.on('error', () => end(false))
    socket.on('close', () => end(false))
    socket.on('secureConnect', () => end(true))
  })
}
