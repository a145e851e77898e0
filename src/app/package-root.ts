import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { AppError } from './app-error.js'

/** Directory that holds package.json, found upward from this file (source or build). */
export const packageRoot: string = findUp(path.dirname(fileURLToPath(import.meta.url)))

/** The program that `npx morphism` runs. */
export const morphismBin: string = path.join(packageRoot, 'bin', 'morphism.mjs')

function findUp(from: string): string {
  if (existsSync(path.join(from, 'package.json'))) return from
  const parent = path.dirname(from)
  if (parent === from) throw new AppError('NO_PACKAGE', 'the package directory of morphism was not found')
  return findUp(parent)
}
