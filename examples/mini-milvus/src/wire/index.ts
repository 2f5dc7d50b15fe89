/** Milvus's wire format: messages, methods, and their TypeScript types. */
export * from './codec.ts'
export * from './generated/types.ts'
