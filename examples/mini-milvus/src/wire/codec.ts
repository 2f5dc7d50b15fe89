/**
 * Milvus's messages as plain objects: names as in the protobuf files (snake_case), 64-bit integers as `bigint`, bytes as
 * `Uint8Array`, enums as numbers. A decoded message has every field (an unset message field is `null`, an unset member of
 * a oneof is missing); a message to encode needs only what differs from its default.
 */
import protobuf from 'protobufjs/light.js'
import { descriptor } from './generated/descriptor.ts'
import type { Messages } from './generated/types.ts'

export type MessageName = keyof Messages

/** A message to encode: every field of `T` optional, at every depth. */
export type Init<T> = T extends Uint8Array | bigint | string | number | boolean | null | undefined
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Init<Item>[]
    : { readonly [Key in keyof T]?: Init<T[Key]> | null | undefined }

export interface MethodInfo {
  readonly service: string
  readonly name: string
  /** `/milvus.proto.milvus.MilvusService/Search` */
  readonly path: string
  readonly request: protobuf.Type
  readonly response: protobuf.Type
  readonly requestStream: boolean
  readonly responseStream: boolean
}

const PREFIX = 'milvus.proto'
const SERVICES = ['MilvusService', 'ClientTelemetryService']
const toPlain = { longs: BigInt, defaults: true, arrays: true, objects: true } as const

const root = protobuf.Root.fromJSON(JSON.parse(descriptor) as protobuf.INamespace)
root.resolveAll()
const types = new Map<string, protobuf.Type>()

function typeOf(name: MessageName): protobuf.Type {
  let type = types.get(name)
  if (type === undefined) {
    type = root.lookupType(`${PREFIX}.${name}`)
    types.set(name, type)
  }
  return type
}

/** A message's fields, for code that goes over any message. */
export function messageTypeOf(name: MessageName): protobuf.Type {
  return typeOf(name)
}

/** Throws what protobufjs throws (`RangeError`, `Error`) for bytes that are no message of this type. */
export function decodeType(type: protobuf.Type, bytes: Uint8Array): object {
  return type.toObject(type.decode(bytes), toPlain)
}

export function encodeType(type: protobuf.Type, value: object): Uint8Array {
  return type.encode(type.fromObject(value)).finish()
}

export function decodeMessage<Name extends MessageName>(name: Name, bytes: Uint8Array): Messages[Name] {
  return decodeType(typeOf(name), bytes) as Messages[Name]
}

export function encodeMessage<Name extends MessageName>(name: Name, value: Init<Messages[Name]>): Uint8Array {
  return encodeType(typeOf(name), value)
}

/** A message with every field present, from one that has only what differs from the defaults. */
export function completeMessage<Name extends MessageName>(name: Name, value: Init<Messages[Name]>): Messages[Name] {
  return completeType(typeOf(name), value) as Messages[Name]
}

export function completeType(type: protobuf.Type, value: object): object {
  return type.toObject(type.fromObject(value), toPlain)
}

function listMethods(): MethodInfo[] {
  return SERVICES.flatMap((service) =>
    root.lookupService(`${PREFIX}.milvus.${service}`).methodsArray.map((method) => {
      method.resolve()
      if (method.resolvedRequestType === null || method.resolvedResponseType === null)
        throw new Error(`unresolved method ${method.fullName}`)
      return {
        service,
        name: method.name,
        path: `/${PREFIX}.milvus.${service}/${method.name}`,
        request: method.resolvedRequestType,
        response: method.resolvedResponseType,
        requestStream: method.requestStream === true,
        responseStream: method.responseStream === true,
      }
    }),
  )
}

/** Every method that clients may call, with its types. */
export const methods: readonly MethodInfo[] = listMethods()
