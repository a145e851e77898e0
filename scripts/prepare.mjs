// Installs what is missing and builds: what `npm start` and `npm test` need on a fresh clone. Plain Node, no packages.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const at = (...parts) => path.join(root, ...parts)
const run = (command, args) => execFileSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Morphism needs Node 20.19 or later; this is ${process.versions.node}.`)
  process.exit(1)
}

const wanted = createHash('sha256')
  .update(readFileSync(at('package-lock.json')))
  .digest('hex')
const stamp = at('node_modules', '.morphism-installed')
const installed = existsSync(stamp) ? readFileSync(stamp, 'utf8') : ''
if (installed !== wanted) {
  console.log('installing packages …')
  run('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error'])
  writeFileSync(stamp, wanted)
}
mkdirSync(at('build'), { recursive: true })
run(process.execPath, [at('node_modules', 'typescript', 'bin', 'tsc'), '-b'])
const bundled = at('build', 'bundle', 'main.js')
const builtAt = readdirSync(at('build'))
  .filter(name => name.endsWith('.tsbuildinfo'))
  .map(name => statSync(at('build', name)).mtimeMs)
if (!existsSync(bundled) || statSync(bundled).mtimeMs < Math.max(...builtAt))
  run(process.execPath, [at('scripts', 'bundle.mjs')])
