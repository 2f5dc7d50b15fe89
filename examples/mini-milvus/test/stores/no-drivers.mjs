/** `--import` of this file: a machine where no driver of a server is installed. */
import { register } from 'node:module'

const hook = `
const gone = ['etcd3', 'ioredis', 'kafkajs', '@platformatic/kafka', 'pulsar-client', '@aws-sdk/client-s3']
export async function resolve(name, context, next) {
  if (gone.includes(name)) throw Object.assign(new Error("Cannot find package '" + name + "'"), { code: 'ERR_MODULE_NOT_FOUND' })
  return next(name, context)
}`
register(`data:text/javascript,${encodeURIComponent(hook)}`)
