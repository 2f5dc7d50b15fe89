import { randomUUID } from 'node:crypto'

export const newOwner = (): string => randomUUID()
