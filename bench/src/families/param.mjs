/** Parameters. */
import { load, rateOf, timeOf } from '../measure.mjs'

const KEYS = 1000
const ROUND = 10_000
const yamlOf = (count) => Array.from({ length: count / 100 }, (_, g) => `group${g}:\n${Array.from({ length: 100 }, (_, i) => `  key${i}: ${g * 100 + i}\n`).join('')}`).join('')

async function tableContext() {
  const { createGlobalParamsTable } = await load('@timetick/paramtable')
  const table = createGlobalParamsTable()
  const map = new Map()
  const names = Array.from({ length: KEYS }, (_, i) => `group.key${i}`)
  names.forEach((name, i) => {
    table.save(name, String(i))
    map.set(name, String(i))
  })
  return { table, map, names }
}
const close = (context) => context?.table.close()
const over = (names, get) => rateOf(() => {
  for (let i = 0; i < ROUND; i += 1) get(names[i % KEYS])
}, { units: ROUND })

const group = (valueOf) => Object.fromEntries(Array.from({ length: KEYS }, (_, i) => [`key${i}`, valueOf(i)]))

/** node-config, which takes its values from the environment when it is loaded. */
async function configContext() {
  Object.assign(process.env, { NODE_CONFIG: JSON.stringify({ group: group(String) }), NODE_CONFIG_DIR: import.meta.dirname, SUPPRESS_NO_CONFIG_WARNING: '1' })
  const { default: config } = await load('config')
  if (config.get('group.key7') !== '7') throw new Error('node-config did not take the values')
  return { ...(await tableContext()), config }
}

async function convictContext() {
  const { default: convict } = await load('convict')
  const [texts, integers] = [['*', String], ['int', Number]].map(([format, valueOf]) => {
    const config = convict({ group: group((i) => ({ format, default: valueOf(i) })) })
    config.validate()
    return config
  })
  return { ...(await tableContext()), texts, integers }
}

export const rows = [
  {
    id: 'param.load', work: 'a key of 1,000', unit: '/s', reference: 'Map.get', goal: { op: '>=', value: 20e6, of: 'value', moonshot: 50e6 },
    open: tableContext, close,
    measure: ({ table, names }) => over(names, (name) => table.load(name)),
    measureReference: ({ map, names }) => over(names, (name) => map.get(name)),
  },
  {
    id: 'param.typed', work: 'an integer of 1,000 keys', unit: '/s', reference: 'Map.get and Number', goal: { op: '>=', value: 20e6, of: 'value', moonshot: 50e6 },
    open: tableContext, close,
    measure: ({ table, names }) => over(names, (name) => table.getInt(name)),
    measureReference: ({ map, names }) => over(names, (name) => Number(map.get(name))),
  },
  {
    id: 'param.load.vs-config', work: 'a key of 1,000', unit: '/s', reference: 'node-config 5 get', goal: { op: '>', value: 1 },
    open: configContext, close,
    measure: ({ table, names }) => over(names, (name) => table.load(name)),
    measureReference: ({ config, names }) => over(names, (name) => config.get(name)),
  },
  {
    id: 'param.load.vs-convict', work: 'a key of 1,000', unit: '/s', reference: 'convict 6 get', goal: { op: '>', value: 1 },
    open: convictContext, close,
    measure: ({ table, names }) => over(names, (name) => table.load(name)),
    measureReference: ({ texts, names }) => over(names, (name) => texts.get(name)),
  },
  {
    id: 'param.typed.vs-convict', work: 'an integer of 1,000 keys', unit: '/s', reference: 'convict 6 get', goal: { op: '>', value: 1 },
    open: convictContext, close,
    measure: ({ table, names }) => over(names, (name) => table.getInt(name)),
    measureReference: ({ integers, names }) => over(names, (name) => integers.get(name)),
  },
  {
    id: 'param.yaml10k', work: 'load 10,000 keys', unit: 'ms', reference: 'the parser alone', goal: { op: '<=', value: 60, of: 'value' },
    async open() {
      const { createGlobalParamsTable } = await load('@timetick/paramtable')
      const { parse } = await load('yaml')
      return { createGlobalParamsTable, parse, text: yamlOf(10_000) }
    },
    measure: ({ createGlobalParamsTable, text }) => {
      const table = createGlobalParamsTable()
      return timeOf(() => table.loadYamlText(text, 'bench.yaml')).finally(() => table.close())
    },
    measureReference: ({ parse, text }) => timeOf(() => parse(text)),
  },
]
