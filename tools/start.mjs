/**
 * `npm start`: installs and builds if needed, then becomes the node, with the remaining arguments. It stays one process, so
 * signals, the terminal and the exit code are the node's own.
 */
import process from 'process'

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  console.error('mini-milvus needs Node 20.19 or newer (24 recommended), this is Node ' + process.versions.node + '. Get it from https://nodejs.org')
  process.exit(2)
}

/**
 * With Ctrl-C under npm a program is signalled twice at once, by the terminal and by npm, which passes it on. The second signal
 * of a user means "stop at once", so the echo must not count.
 */
function ignoreEchoes(withinMs) {
  const emit = process.emit
  const last = new Map()
  process.emit = function (name, ...rest) {
    if (name === 'SIGINT' || name === 'SIGTERM') {
      const now = performance.now()
      const before = last.get(name)
      last.set(name, now)
      if (before !== undefined && now - before < withinMs) return true
    }
    return emit.call(this, name, ...rest)
  }
}

/**
 * A signal to npm alone reaches the shell between npm and this process, and goes no further: the shell dies and the node would run
 * on, unseen, holding its port and folder. When the parent is gone, stop as if the signal had come here.
 */
function stopWithParent(everyMs) {
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    process.kill(process.pid, 'SIGTERM')
  }, everyMs)
  timer.unref()
}

async function main() {
  const { ensureInstalled } = await import('./lib/install.mjs')
  const { ensureBuilt } = await import('./lib/build.mjs')
  const { listPackages, listWorkspaces } = await import('./lib/repo.mjs')
  const node = listWorkspaces(['examples']).find((w) => w.name === 'mini-milvus')
  // The page comes before the server that serves it.
  const page = listWorkspaces(['examples/insight']).toReversed()
  try {
    ensureInstalled()
    ensureBuilt('start', [...listPackages(), ...page, node])
  } catch (error) {
    console.error(error.message)
    process.exit(1)
  }
  const path = await import('node:path')
  const { pathToFileURL } = await import('node:url')
  const program = path.join(node.dir, node.manifest.bin['mini-milvus'])
  process.argv = [process.argv[0], program, ...process.argv.slice(2)]
  ignoreEchoes(250)
  stopWithParent(100)
  await import(pathToFileURL(program).href)
}

await main()
