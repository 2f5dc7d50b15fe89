/** RunAnalyzer: the words that an analyzer, or that of a field, makes of texts. */
import type { MetaReader } from '../coordinator/api.ts'
import type { CallContext, RpcHandler, WireHandlers } from '../server/handlers.ts'
import { invalid, success } from '../server/status.ts'
import { type Analyzer, analyzerOf, fieldAnalyzer, hasFlag, termHash, type Token } from '../text/index.ts'
import type { AnalyzerToken, Init, RunAnalyzerRequest, RunAnalyzerResponse } from '../wire/index.ts'

const decoder = new TextDecoder('utf-8', { fatal: true })

export function analyzerHandlers({ meta }: { readonly meta: MetaReader }): WireHandlers {
  const run: RpcHandler<RunAnalyzerRequest, Init<RunAnalyzerResponse>> = {
    kind: 'dql',
    run: async (request, call) => {
      const analyzer = chosen(meta, request, call)
      const results = request.placeholder.map((bytes) => {
        const text = decoded(bytes)
        return { tokens: shown(text, analyzer.analyze(text), request) }
      })
      return { status: success(), results }
    },
  }
  return { RunAnalyzer: run }
}

function chosen(meta: MetaReader, request: RunAnalyzerRequest, call: CallContext): Analyzer {
  const { collection_name: name, field_name: fieldName } = request
  if (request.analyzer_names.some((each) => each !== '' && each !== 'default')) throw invalid('analyzer names are for fields with multi_analyzer_params, which are not served by mini-milvus')
  if (name === '') {
    if (fieldName !== '') throw invalid('must set collection name when running the analyzer of a field')
    return analyzerOf(request.analyzer_params)
  }
  if (fieldName === '') throw invalid('must set field name when running the analyzer of a collection')
  const field = meta.collection(call.dbName, name).schema.fields.find((candidate) => candidate.name === fieldName)
  if (field === undefined) throw invalid(`field ${fieldName} not exist`)
  if (!hasFlag(field, 'enable_analyzer')) throw invalid(`field ${fieldName} does not enable analyzer`)
  return fieldAnalyzer(field)
}

function decoded(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw invalid('the text to analyze is not UTF-8')
  }
}

/** Offsets count bytes, as Milvus's do. */
function shown(text: string, tokens: readonly Token[], { with_detail: withDetail, with_hash: withHash }: RunAnalyzerRequest): Init<AnalyzerToken>[] {
  const offsets = withDetail ? byteOffsets(text) : undefined
  return tokens.map((token) => ({
    token: token.text,
    ...(offsets === undefined
      ? {}
      : {
          start_offset: BigInt(offsets[token.start] ?? 0),
          end_offset: BigInt(offsets[token.end] ?? 0),
          position: BigInt(token.position),
          position_length: BigInt(token.positionLength),
        }),
    ...(withHash ? { hash: termHash(token.text) } : {}),
  }))
}

/** Of each UTF-16 unit, and of the end. */
function byteOffsets(text: string): Uint32Array {
  const offsets = new Uint32Array(text.length + 1)
  let bytes = 0
  for (let at = 0; at < text.length; at++) {
    offsets[at] = bytes
    const unit = text.charCodeAt(at)
    // Either half of a pair counts two of its four bytes.
    bytes += unit < 0x80 ? 1 : unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 2 : 3
  }
  offsets[text.length] = bytes
  return offsets
}
