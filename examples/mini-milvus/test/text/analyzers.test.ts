import { describe, expect, it } from 'vitest'
import { analyzerOf, termColumn, termCounts, termHash } from '../../src/text/index.ts'

const words = (params: unknown, text: string): string[] => analyzerOf(params === '' ? '' : JSON.stringify(params)).analyze(text).map((token) => token.text)

describe('analyzers', () => {
  it('standard is the default: words of letters and digits, in lower case', () => {
    const text = 'Would you like to eat an apple? DEF_456-héllo 32.3 Straße'
    const expected = ['would', 'you', 'like', 'to', 'eat', 'an', 'apple', 'def', '456', 'héllo', '32', '3', 'straße']
    for (const params of ['', {}, { type: 'standard' }, { tokenizer: 'standard', filter: ['lowercase'] }]) expect(words(params, text)).toEqual(expected)
    expect(words({ type: 'standard', stop_words: ['_english_', 'apple'] }, text)).toEqual(expected.filter((word) => !['to', 'an', 'apple'].includes(word)))
  })

  it('english stems and leaves out stop words', () => {
    expect(words({ type: 'english' }, 'The apples were running to the generously painted skies')).toEqual(['appl', 'were', 'run', 'generous', 'paint', 'sky'])
    expect(words({ type: 'english', stop_words: ['run'] }, 'apples running')).toEqual(['appl'])
  })

  it('chinese segments by jieba, and keeps what has Han, letters or digits', () => {
    expect(words({ type: 'chinese' }, 'milvus结巴分词器中文测试, 北京大学')).toEqual(['milvus', '结巴', '分词', '分词器', '中文', '测试', '北京', '大学', '北京大学'])
    expect(words({ tokenizer: { type: 'jieba', mode: 'exact' } }, '北京大学')).toEqual(['北京大学'])
    expect(words({ tokenizer: { type: 'jieba', mode: 'exact', hmm: false, dict: ['结巴分词器'] }, filter: ['cncharonly'] }, 'x结巴分词器y')).toEqual(['结巴分词器'])
  })

  it('says where each word was, and counts places that filters leave empty', () => {
    const tokens = analyzerOf(JSON.stringify({ tokenizer: 'standard', filter: ['lowercase', { type: 'stop', stop_words: ['of', 'the'] }] })).analyze('End of the Line')
    expect(tokens.map(({ text, start, end, position }) => [text, start, end, position])).toEqual([['end', 0, 3, 0], ['line', 11, 15, 3]])
    const chinese = analyzerOf(JSON.stringify({ tokenizer: 'jieba' })).analyze('我在北京大学')
    for (const { text, start, end } of chinese) expect('我在北京大学'.slice(start, end)).toBe(text)
    expect(chinese.map(({ text, position, positionLength }) => [text, position, positionLength])).toContainEqual(['大学', 4, 2])
  })

  it.each([
    [{ tokenizer: 'whitespace' }, 'a-b  C d.', ['a-b', 'C', 'd.']],
    [{ tokenizer: 'standard', filter: ['asciifolding'] }, 'Ærøskøbing naïve Straße Łódź', ['AEroskobing', 'naive', 'Strasse', 'Lodz']],
    [{ tokenizer: 'standard', filter: ['alphanumonly'] }, 'naïve abc 中文', ['abc']],
    [{ tokenizer: 'icu', filter: ['removepunct'] }, "can't stop, now!", ["can't", 'stop', 'now']],
    [{ tokenizer: 'standard', filter: [{ type: 'length', max: 3 }] }, 'ab abc abcd né née', ['ab', 'abc', 'né']],
    [{ tokenizer: 'standard', filter: [{ type: 'stemmer', language: 'german' }] }, 'häuser', ['haus']],
    [{ tokenizer: 'standard', filter: [{ type: 'decompounder', word_list: ['dampf', 'schiff', 'fahrt'] }] }, 'dampfschifffahrt dampfer', ['dampf', 'schiff', 'fahrt', 'dampfer']],
    [{ tokenizer: 'whitespace', filter: [{ type: 'regex', expr: '^[a-c]+$' }] }, 'abc abd cab', ['abc', 'cab']],
  ])('%j', (params, text, expected) => {
    expect(words(params, text)).toEqual(expected)
  })

  it.each([
    ['{', 'analyzer params are no JSON'],
    ['[]', 'params should be a json map'],
    ['{"type": 1}', 'analyzer type shoud be string'],
    ['{"type": "klingon"}', 'unknown build-in analyzer type: klingon'],
    ['{"filter": []}', 'tokenizer name or type must be set'],
    ['{"tokenizer": 7}', 'tokenizer name should be string or dict'],
    ['{"tokenizer": {}}', 'costum tokenizer must set type'],
    ['{"tokenizer": {"type": 1}}', 'tokenizer type should be string'],
    ['{"tokenizer": "nope"}', 'unsupported tokenizer: nope'],
    ['{"tokenizer": "lindera"}', 'not served by mini-milvus'],
    ['{"tokenizer": "standard", "filters": []}', 'unknown analyzer option key: filters'],
    ['{"tokenizer": "standard", "filter": {}}', 'filter params should be array'],
    ['{"tokenizer": "standard", "filter": ["nope"]}', 'build analyzer failed, filter not found :nope'],
    ['{"tokenizer": "standard", "filter": [{"type": "nope"}]}', 'unsupport filter type: nope'],
    ['{"tokenizer": "standard", "filter": [{}]}', 'no type field in filter params'],
    ['{"tokenizer": "standard", "filter": [{"type": "length"}]}', 'lenth max param was none or not uint'],
    ['{"tokenizer": "standard", "filter": [{"type": "stemmer", "language": "klingon"}]}', 'unsupported stemmer language: klingon'],
    ['{"tokenizer": "standard", "filter": [{"type": "stop", "stop_words": "a"}]}', 'filter stop_words should be array'],
    ['{"tokenizer": "standard", "filter": [{"type": "regex", "expr": "(a+)+$"}]}', 'not served by mini-milvus'],
    ['{"tokenizer": "standard", "filter": [{"type": "regex", "expr": "("}]}', 'regex expression invalid'],
    ['{"tokenizer": {"type": "jieba", "mode": "fast"}}', 'jieba tokenizer mode must be "exact" or "search"'],
    ['{"tokenizer": {"type": "jieba", "dict": "x"}}', 'jieba tokenizer dict must be array'],
    ['{"type": "standard", "stop_words": ["_german_"]}', 'not served by mini-milvus'],
    [`{"type": "standard", "stop_words": ["${'x'.repeat(70_000)}"]}`, 'longer than'],
  ])('refuse %.60s', (params, reason) => {
    expect(() => analyzerOf(params)).toThrow(reason)
  })

  it('take any text', () => {
    for (const params of ['', '{"type":"english"}', '{"type":"chinese"}', '{"tokenizer":"icu"}']) {
      for (const text of ['', ' ', '\ud800', 'a\udc00b', '\0', '😀👩‍🔬', '중'.repeat(1000), 'constructor __proto__ toString']) {
        for (const { start, end } of analyzerOf(params).analyze(text)) expect(end).toBeLessThanOrEqual(Math.max(start, text.length))
      }
    }
  })

  it('rows of term counts: a dimension for each word by its CRC-32, ascending', () => {
    const analyzer = analyzerOf('')
    const counts = termCounts(analyzer, 'b a b c b')
    expect(counts).toEqual([['a', 1], ['b', 3], ['c', 1]].map(([word, count]) => [termHash(String(word)), count]).sort((x, y) => Number(x[0]) - Number(y[0])))
    const column = termColumn(analyzer, ['a', '', 'a b'])
    expect([...column.offsets]).toEqual([0, 8, 8, 24])
    expect(new Float32Array(column.data.buffer)[1]).toBe(1)
  })
})
