/** What is wrong with a file that is imported. Its message names the file, the row and the field, and goes to the client as the job's reason. */
export class ImportError extends Error {
  override readonly name = 'ImportError'

  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
  }
}

export function isImportError(error: unknown): error is ImportError {
  return error instanceof Error && error.name === 'ImportError'
}

const ROW_NUMBER = /row number:? (\d+)/

/** A refusal of the codec, whose rows are counted from the batch's first, as one of the file. Other errors pass. */
export function ofFile(error: unknown, file: string, firstRow: number): unknown {
  if (!(error instanceof Error) || (error.name !== 'CodecError' && !isImportError(error))) return error
  const message = ROW_NUMBER.test(error.message) || error.name !== 'CodecError'
    ? error.message.replace(ROW_NUMBER, (_all, row: string) => `row number: ${firstRow + Number(row)}`)
    : `${error.message}, in rows from ${firstRow} on`
  return new ImportError(message.startsWith(`${file}:`) ? message : `${file}: ${message}`, { cause: error })
}
