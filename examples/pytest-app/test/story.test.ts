/** The suite of the Python application, run by pytest with the built program. */
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const folder = fileURLToPath(new URL('..', import.meta.url))
const program = path.join(path.dirname(createRequire(import.meta.url).resolve('mini-milvus/package.json')), 'dist/cli.js')

/** Said aloud: Python is no part of this repository. */
function hasPytest(): boolean {
  const found = spawnSync('python3', ['-m', 'pytest', '--version']).status === 0
  if (!found) process.stderr.write('not tested: examples/pytest-app; there is no python3 with pytest\n')
  return found
}

describe.skipIf(!hasPytest())('pytest-app', () => {
  it('passes under pytest, and leaves no server', { timeout: 120_000 }, () => {
    const environment = { ...process.env, MINI_MILVUS: `${process.execPath} ${program}`, PYTHONDONTWRITEBYTECODE: '1' }
    const { status, stdout, stderr } = spawnSync('python3', ['-m', 'pytest', '-q'], { cwd: folder, env: environment, encoding: 'utf8', timeout: 110_000 })
    expect(`${stdout}${stderr}`).toContain('5 passed')
    expect(status).toBe(0)
  })
})
