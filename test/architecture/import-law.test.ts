import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'

const root = process.cwd()
const rings = ['base', 'rules', 'io', 'services', 'app'] as const
type Ring = (typeof rings)[number]

const mayImport: Record<Ring, readonly Ring[]> = {
  base: ['base'],
  rules: ['base', 'rules'],
  io: ['base', 'io'],
  services: ['base', 'rules', 'io', 'services'],
  app: ['base', 'rules', 'io', 'services', 'app'],
}

const sources = rings.flatMap(ring =>
  (readdirSync(path.join(root, 'src', ring), { recursive: true }) as string[])
    .filter(file => file.endsWith('.ts') && !file.endsWith('.d.ts'))
    .map(file => path.join('src', ring, file)),
)
const isTest = (file: string) => file.endsWith('.test.ts') || file.endsWith('.fixture.ts')
const ringOf = (file: string) => file.split(path.sep)[1] as Ring
const serviceOf = (file: string) => file.split(path.sep)[2]!

function importsOf(file: string): string[] {
  const text = readFileSync(path.join(root, file), 'utf8')
  return [...text.matchAll(/(?:from|import)\s+'([^']+)'/g)].map(([, target]) => target!)
}

const relativeImports = (file: string) =>
  importsOf(file)
    .filter(target => target.startsWith('.'))
    .map(target => path.join(path.dirname(file), target))

describe('import law: base <- rules, base <- io, both <- services, all <- app', () => {
  const product = sources.filter(file => !isTest(file))

  it('has sources in every ring', () => {
    for (const ring of rings) expect(product.filter(file => ringOf(file) === ring).length).toBeGreaterThan(0)
  })

  it.each(rings)('%s imports only the rings it may', ring => {
    const broken = product
      .filter(file => ringOf(file) === ring)
      .flatMap(file => relativeImports(file).map(target => ({ file, target })))
      .filter(({ target }) => target.startsWith(`src${path.sep}`) && !mayImport[ring].includes(ringOf(target)))
    expect(broken).toEqual([])
  })

  it('keeps services from importing one another', () => {
    const broken = product
      .filter(file => ringOf(file) === 'services')
      .flatMap(file => relativeImports(file).map(target => ({ file, target })))
      .filter(({ file, target }) => ringOf(target) === 'services' && serviceOf(target) !== serviceOf(file))
    expect(broken).toEqual([])
  })

  it('keeps Node out of the pure rings', () => {
    const broken = product
      .filter(file => ringOf(file) === 'base' || ringOf(file) === 'rules')
      .filter(file => importsOf(file).some(target => target.startsWith('node:')))
    expect(broken).toEqual([])
  })

  it('has no barrel files and no files named for nothing', () => {
    const vague = /^(index|util|utils|helper|helpers|common|misc|types)\.ts$/
    expect(sources.filter(file => vague.test(path.basename(file)))).toEqual([])
    expect(
      sources.filter(file => /^export (\*|\{[^}]*\}) from/m.test(readFileSync(path.join(root, file), 'utf8'))),
    ).toEqual([])
  })

  it('uses kebab-case file names', () => {
    expect(sources.filter(file => !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)?\.ts$/.test(path.basename(file)))).toEqual([])
  })
})

describe('the compiler holds the purity of base and rules', () => {
  const scratch = mkdtempSync(path.join(root, 'build', 'purity-'))
  afterAll(() => rmSync(scratch, { recursive: true, force: true }))

  const compile = (source: string) => {
    writeFileSync(path.join(scratch, 'probe.ts'), source)
    const { types, lib, ...rest } = JSON.parse(
      readFileSync(path.join(root, 'tsconfig.base.json'), 'utf8'),
    ).compilerOptions
    const compilerOptions = {
      ...rest,
      types,
      lib,
      composite: false,
      incremental: false,
      noEmit: true,
      rootDir: scratch,
    }
    writeFileSync(path.join(scratch, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['probe.ts'] }))
    const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc')
    return spawnSync(process.execPath, [tsc, '-p', scratch], { encoding: 'utf8' })
  }

  it('compiles a pure function', () => {
    const { status, stdout } = compile('export const double = (x: number): number => 2 * x\n')
    expect(stdout).toBe('')
    expect(status).toBe(0)
  })

  it.each([
    'setTimeout(() => {}, 1)',
    "console.log('x')",
    'process.exit(1)',
    "import('node:fs')",
    'performance.now()',
    "fetch('x')",
  ])('refuses %s', statement => {
    expect(compile(`${statement}\nexport {}\n`).status).not.toBe(0)
  })

  it.each(['base', 'rules'])('%s is compiled with those options', ring => {
    const config = JSON.parse(readFileSync(path.join(root, 'src', ring, 'tsconfig.json'), 'utf8'))
    expect(config.extends).toBe('../../tsconfig.base.json')
    expect(config.compilerOptions.types).toBeUndefined()
    expect(config.compilerOptions.lib).toBeUndefined()
  })
})
