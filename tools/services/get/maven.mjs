/** Jars and archives from Maven, with the local repository in a temporary folder: only the result is kept. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { run, which } from '../run.mjs'

const PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1'

async function maven(args, cwd) {
  if (which('java') === undefined) throw new Error('java is not there')
  if (which('mvn') === undefined) throw new Error('mvn is not there')
  const repository = mkdtempSync(path.join(os.tmpdir(), 'timetick-mvn-'))
  const all = ['-q', '-B', '-ntp', `-Dmaven.repo.local=${repository}`, ...args]
  try {
    await run('mvn', all, { cwd }).catch(() => run('mvn', ['-U', ...all], { cwd }))
  } finally {
    rmSync(repository, { recursive: true, force: true })
  }
}

/** Copies the artifacts `group:name:version` and all they need at run time to `directory/lib`. */
export async function mavenLibraries(artifacts, directory) {
  const dependency = (id) => {
    const [group, name, version] = id.split(':')
    return `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`
  }
  const pom = path.join(directory, 'pom.xml')
  writeFileSync(pom, `<project><modelVersion>4.0.0</modelVersion><groupId>timetick</groupId><artifactId>service</artifactId><version>1</version><dependencies>${artifacts.map(dependency).join('')}</dependencies></project>`)
  await maven([`${PLUGIN}:copy-dependencies`, '-DoutputDirectory=lib', '-DincludeScope=runtime'], directory)
  rmSync(pom)
}

/** Copies one artifact `group:name:version:type[:classifier]` to `directory`. */
export const mavenArtifact = (artifact, directory) => maven([`${PLUGIN}:copy`, `-Dartifact=${artifact}`, `-DoutputDirectory=${directory}`], directory)
