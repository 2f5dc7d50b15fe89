/** Node's Buffer where its types are there, else plain bytes: so that declarations need no types of Node. */
export type NodeBuffer = typeof globalThis extends { Buffer: { isBuffer(value: unknown): value is infer B } } ? B : Uint8Array
