/** File descriptors of all services, as gRPC's reflection hands them out: one file a package, from the same messages that the node speaks. */
import protobuf from 'protobufjs'
import descriptor from 'protobufjs/ext/descriptor.js'
import { grpcSchemas } from './grpc-schemas.mjs'

/** @param nested of the descriptor that the node speaks */
export function reflectionText(nested) {
  const root = protobuf.Root.fromJSON(structuredClone({ nested: { ...nested, ...grpcSchemas } }))
  root.resolveAll()
  const files = root.toDescriptor('proto3').file.filter(({ package: name }) => name !== '')
  const entries = files.map((file) => entryOf(file, root))
  const lines = entries.map((entry) => `  ${JSON.stringify(entry)},`)
  return [
    'export interface ReflectedFile {\n  readonly name: string\n  readonly dependencies: readonly string[]\n  /** Full names of its messages, enums, services and methods. */\n  readonly symbols: readonly string[]\n  /** Its FileDescriptorProto. */\n  readonly base64: string\n}\n',
    `export const reflectedFiles: readonly ReflectedFile[] = [\n${lines.join('\n')}\n]\n`,
    `/** Messages of \`grpc.reflection\`, for protobufjs. */\nexport const reflectionSchema: string =\n  ${JSON.stringify(JSON.stringify({ nested: grpcSchemas }))}\n`,
  ].join('\n')
}

const fileName = (packageName) => `${packageName.replaceAll('.', '/')}.proto`

/** What protobufjs calls the entry of a map field, and what protoc does. */
const mapName = (fieldName) => fieldName.charAt(0).toUpperCase() + fieldName.slice(1)
const entryName = (fieldName) => `${fieldName.split('_').map(mapName).join('')}Entry`

function entryOf(file, root) {
  const symbols = []
  const packages = new Set()
  const absolute = (name, scope) => {
    const object = scope.lookup(name.startsWith('.') ? name : name.split('.'))
    if (object === null) throw new Error(`${name} in ${scope.fullName} is not known`)
    let owner = object.parent
    while (owner.fields !== undefined) owner = owner.parent
    packages.add(owner.fullName.slice(1))
    return object.fullName
  }
  const addEnum = (scope) => (one) => symbols.push(`${scope}.${one.name}`)
  const addMessage = (scope) => (message) => {
    const full = `${scope}.${message.name}`
    symbols.push(full)
    const type = root.lookupType(full)
    const entries = message.nestedType.filter(({ options }) => options?.mapEntry)
    for (const entry of entries) {
      for (const field of message.field) if (field.typeName === entry.name) field.typeName = `.${full}.${entryName(field.name)}`
      entry.name = entryName(type.fieldsArray.find(({ map, name }) => map && entry.name === mapName(name)).name)
      for (const field of entry.field) if (field.typeName) field.typeName = absolute(field.typeName, type)
    }
    for (const field of message.field) {
      delete field.options
      if (field.typeName && !entries.some(({ name }) => field.typeName === `.${full}.${name}`)) field.typeName = absolute(field.typeName, type)
    }
    message.nestedType.filter((nested) => !entries.includes(nested)).forEach(addMessage(full))
    message.enumType.forEach(addEnum(full))
  }
  file.messageType.forEach(addMessage(file.package))
  file.enumType.forEach(addEnum(file.package))
  for (const service of file.service) {
    const full = `${file.package}.${service.name}`
    symbols.push(full)
    for (const method of service.method) {
      symbols.push(`${full}.${method.name}`)
      const scope = root.lookupService(full)
      method.inputType = absolute(method.inputType, scope)
      method.outputType = absolute(method.outputType, scope)
    }
  }
  packages.delete(file.package)
  delete file.options
  file.name = fileName(file.package)
  file.dependency = [...packages].sort().map(fileName)
  return { name: file.name, dependencies: file.dependency, symbols, base64: Buffer.from(descriptor.FileDescriptorProto.encode(file).finish()).toString('base64') }
}
